"""Letters and answers in bundles: each answer once, errors to their senders, withdrawn work stopped, losses told."""

from __future__ import annotations

import asyncio
import pickle
from typing import Any

import pytest
from ray.exceptions import ActorDiedError

from actors.errors import PromptTooLong, RequestFailed
from actors.mailbox import Correspondent, Load, Mailbox


class Desk(Mailbox):
    """Doubles numbers, after as many hundredths of a second; notes the bundles and who was stopped."""

    def __init__(self) -> None:
        super().__init__()
        self.bundles: list[int] = []
        self.stopped: list[int] = []
        self.dead = False

    async def double(self, number: int) -> int:
        try:
            await asyncio.sleep(number / 100)
        except asyncio.CancelledError:
            self.stopped.append(number)
            raise
        return 2 * number

    async def fail(self, error: Exception) -> None:
        raise error


class Remote:
    """``handle.exchange.remote`` as Ray offers it: arguments and answers travel pickled."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.exchange = self

    async def remote(self, *arguments: Any) -> Any:
        caller, letters, withdrawn = pickle.loads(pickle.dumps(arguments))
        if self.desk.dead:
            raise ActorDiedError()
        self.desk.bundles.append(len(letters))
        return pickle.loads(pickle.dumps(await self.desk.exchange(caller, letters, withdrawn)))


async def test_every_letter_is_answered_once_and_none_waits_for_a_slower_one() -> None:
    desk = Desk()
    mail = Correspondent(Remote(desk))
    order: list[int] = []

    async def one(number: int) -> None:
        assert await mail.ask("double", number) == 2 * number
        order.append(number)

    await asyncio.gather(*(one(number) for number in (30, 0, 10, 20, 0)))
    assert order == [0, 0, 10, 20, 30]
    assert desk.bundles[0] == 5
    assert sum(desk.bundles) == 5
    assert not desk._boxes


async def test_letters_that_come_while_others_wait_are_not_held_back() -> None:
    desk = Desk()
    mail = Correspondent(Remote(desk))
    slow = asyncio.ensure_future(mail.ask("double", 100))
    await asyncio.sleep(0.05)
    assert await asyncio.wait_for(mail.ask("double", 1), 0.5) == 2
    assert not slow.done()
    assert await slow == 200


async def test_an_error_reaches_its_sender_and_nobody_else() -> None:
    mail = Correspondent(Remote(Desk()))
    fine = asyncio.ensure_future(mail.ask("double", 1))
    with pytest.raises(PromptTooLong, match="3000 tokens"):
        await mail.ask("fail", PromptTooLong("3000 tokens"))
    with pytest.raises(RequestFailed, match="KeyError: 'x'"):
        await mail.ask("fail", KeyError("x"))
    assert await fine == 2


async def test_cancelled_work_is_stopped_in_the_actor() -> None:
    desk = Desk()
    mail = Correspondent(Remote(desk))
    unwanted, unsent = asyncio.ensure_future(mail.ask("double", 500)), asyncio.ensure_future(mail.ask("double", 600))
    await asyncio.sleep(0)
    unsent.cancel()
    await asyncio.sleep(0.05)
    unwanted.cancel()
    await asyncio.gather(unwanted, unsent, return_exceptions=True)
    await asyncio.sleep(0.1)
    assert desk.stopped == [500]
    assert sum(desk.bundles) == 1


async def test_a_lost_actor_is_told_to_all_who_wait_and_the_next_letter_tries_again() -> None:
    desk = Desk()
    mail = Correspondent(Remote(desk))
    desk.dead = True
    lost = await asyncio.gather(*(mail.ask("double", number) for number in range(3)), return_exceptions=True)
    assert [type(error) for error in lost] == [ActorDiedError] * 3
    desk.dead = False
    assert await mail.ask("double", 4) == 8


async def test_two_callers_do_not_get_each_others_answers() -> None:
    desk = Desk()
    first, second = Correspondent(Remote(desk)), Correspondent(Remote(desk))
    answers = await asyncio.gather(
        *(mail.ask("double", number) for number in range(8) for mail in (first, second)),
    )
    assert answers == [2 * number for number in range(8) for _ in range(2)]


@pytest.mark.parametrize("many", [1, 200])
async def test_few_calls_for_many_letters(many: int) -> None:
    desk = Desk()
    mail = Correspondent(Remote(desk))
    await asyncio.gather(*(mail.ask("double", 2) for _ in range(many)))
    assert len(desk.bundles) <= 3


async def test_a_caller_hears_what_the_actor_has_in_hand_for_others() -> None:
    desk, heard = Desk(), []
    mine, other = Correspondent(Remote(desk), heard.append), Correspondent(Remote(desk))
    assert await mine.ask("double", 1, size=2) == 2
    theirs = [asyncio.ensure_future(other.ask("double", 300, size=size)) for size in (3, 4)]
    await asyncio.sleep(0.05)
    assert await mine.ask("double", 1) == 2
    await asyncio.gather(*theirs)
    assert await mine.ask("double", 1) == 2
    assert heard == [Load(), Load(7, 1), Load()]
