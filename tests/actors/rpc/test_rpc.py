"""Letters by socket: each answer once, errors to their senders, withdrawn work stopped, losses told."""

from __future__ import annotations

import asyncio
import pickle
import socket
from collections.abc import Callable
from typing import Any

import pytest
from ray.exceptions import ActorDiedError

from actors.errors import ActorLost, PromptTooLong, RequestFailed, Unreachable
from actors.rpc import transport
from actors.rpc.client import RpcClient
from actors.rpc.server import CallerState, Load, RpcServer
from actors.rpc.transport import CALLER, Address, Connection, connect, listen


class Desk(RpcServer):
    """Doubles numbers, after as many hundredths of a second; notes the messages and who was stopped."""

    def __init__(self) -> None:
        super().__init__()
        self.messages: list[int] = []
        self.stopped: list[int] = []

    async def double(self, number: int) -> int:
        try:
            await asyncio.sleep(number / 100)
        except asyncio.CancelledError:
            self.stopped.append(number)
            raise
        return 2 * number

    async def fail(self, error: Exception) -> None:
        raise error

    async def echo(self, value: object) -> object:
        return value

    def _send_answers(self, caller: Connection, box: CallerState) -> None:
        self.messages.append(len(box.ready))
        super()._send_answers(caller, box)


class Remote:
    """An actor's handle as Ray offers it, to a desk in this process."""

    def __init__(self, desk: Desk) -> None:
        self.desk, self.dead = desk, False
        self.receive = Method(self._receive)

    async def _receive(self) -> Address:
        if self.dead:
            raise ActorDiedError()
        return pickle.loads(pickle.dumps(await self.desk.receive()))  # type: ignore[no-any-return]

    def die(self) -> None:
        self.dead = True
        for caller in list(self.desk._boxes):
            caller.close()


class Method:
    """``handle.method.remote()`` that runs a coroutine."""

    def __init__(self, call: Callable[[], Any]) -> None:
        self.remote = call


class Unreadable:
    """What can be sent and not be received."""

    def __reduce__(self) -> Any:
        return (int, ("no number",))


async def test_every_letter_is_answered_once_and_none_waits_for_a_slower_one() -> None:
    mail = RpcClient(Remote(Desk()))
    order: list[int] = []

    async def one(number: int) -> None:
        assert await mail.ask("double", number) == 2 * number
        order.append(number)

    await asyncio.gather(*(one(number) for number in (30, 0, 10, 20, 0)))
    assert order == [0, 0, 10, 20, 30]
    assert not any(box.under_way for box in mail.handle.desk._boxes.values())


async def test_letters_that_come_while_others_wait_are_not_held_back() -> None:
    mail = RpcClient(Remote(Desk()))
    slow = asyncio.ensure_future(mail.ask("double", 100))
    await asyncio.sleep(0.05)
    assert await asyncio.wait_for(mail.ask("double", 1), 0.5) == 2
    assert not slow.done()
    assert await slow == 200


async def test_an_error_reaches_its_sender_and_nobody_else() -> None:
    mail = RpcClient(Remote(Desk()))
    fine = asyncio.ensure_future(mail.ask("double", 1))
    with pytest.raises(PromptTooLong, match="3000 tokens"):
        await mail.ask("fail", PromptTooLong("3000 tokens"))
    with pytest.raises(RequestFailed, match="KeyError: 'x'"):
        await mail.ask("fail", KeyError("x"))
    assert await fine == 2


async def test_what_cannot_be_sent_or_read_fails_alone() -> None:
    mail = RpcClient(Remote(Desk()))
    slow = asyncio.ensure_future(mail.ask("double", 10))
    with pytest.raises((AttributeError, pickle.PicklingError), match="lambda"):
        await mail.ask("echo", lambda: None)
    with pytest.raises(RequestFailed, match="ValueError: invalid literal"):
        await mail.ask("echo", Unreadable())
    with pytest.raises(RequestFailed, match="has no attribute 'sing'"):
        await mail.ask("sing")
    assert await slow == 20


async def test_an_answer_that_cannot_be_read_fails_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk()
    mail = RpcClient(Remote(desk))
    monkeypatch.setattr(desk, "fail", answer_of(Unreadable()))
    with pytest.raises(RequestFailed, match="the answer cannot be read: ValueError"):
        await mail.ask("fail", 1)
    assert await mail.ask("echo", 4) == 4


def answer_of(value: object) -> Callable[..., Any]:
    async def method(*_: object) -> object:
        return value

    return method


async def test_cancelled_work_is_stopped_in_the_actor() -> None:
    desk = Desk()
    mail = RpcClient(Remote(desk))
    assert await mail.ask("double", 0) == 0
    unwanted, unsent = asyncio.ensure_future(mail.ask("double", 500)), asyncio.ensure_future(mail.ask("double", 600))
    unsent.cancel()
    await asyncio.sleep(0.05)
    unwanted.cancel()
    await asyncio.gather(unwanted, unsent, return_exceptions=True)
    await asyncio.sleep(0.1)
    assert desk.stopped == [500]
    assert not any(box.under_way for box in desk._boxes.values())


async def test_what_comes_too_late_is_not_waited_for() -> None:
    desk = Desk()
    mail = RpcClient(Remote(desk))
    assert await mail.ask("double", 1, within=5) == 2
    with pytest.raises(TimeoutError):
        await mail.ask("double", 500, within=0.1)
    await asyncio.sleep(0.05)
    assert desk.stopped == [500]


async def test_a_lost_actor_is_told_to_all_who_wait_and_the_next_letter_tries_again() -> None:
    remote = Remote(Desk())
    mail = RpcClient(remote)
    waiting = [asyncio.ensure_future(mail.ask("double", 600 + number)) for number in range(3)]
    await asyncio.sleep(0.1)
    remote.die()
    lost = await asyncio.gather(*waiting, return_exceptions=True)
    assert [type(error) for error in lost] == [ActorLost] * 3
    with pytest.raises(ActorDiedError):
        await mail.ask("double", 4)
    remote.dead = False
    assert await mail.ask("double", 4) == 8


async def test_an_actor_that_starts_again_is_found_at_its_new_address() -> None:
    remote = Remote(Desk())
    mail = RpcClient(remote)
    assert await mail.ask("double", 1) == 2
    first = await remote.desk.receive()
    remote.die()
    await asyncio.sleep(0.05)
    remote.desk, remote.dead = Desk(), False
    assert await mail.ask("double", 2) == 4
    assert await remote.desk.receive() != first


async def test_what_a_lost_caller_asked_for_is_stopped() -> None:
    desk = Desk()
    mail, other = RpcClient(Remote(desk)), RpcClient(Remote(desk))
    waiting = asyncio.ensure_future(mail.ask("double", 500))
    kept = asyncio.ensure_future(other.ask("double", 30))
    await asyncio.sleep(0.1)
    mail.close()
    with pytest.raises(ActorLost):
        await waiting
    await asyncio.sleep(0.05)
    assert desk.stopped == [500]
    assert len(desk._boxes) == 1
    assert await kept == 60


async def test_an_actor_that_cannot_be_reached_is_named() -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        port = nobody.getsockname()[1]
    mail = RpcClient(Remote(Desk()))
    mail.handle.receive = Method(lambda: at(Address("127.0.0.1", port, b"k" * 32)))
    with pytest.raises(Unreachable, match=rf"127.0.0.1:{port} cannot be reached .*nodes must reach each other's ports"):
        await mail.ask("double", 1)


async def at(address: Address) -> Address:
    return address


async def test_who_does_not_know_the_key_is_not_heard() -> None:
    heard: list[bytes] = []
    server, address = await listen(lambda _, frame: heard.append(frame), lambda _: None)
    with pytest.raises(Unreachable, match="it does not know the actor's key"):
        await connect(Address(address.host, address.port, b"k" * 32), lambda *_: None, lambda _: None)
    line = await connect(address, lambda *_: None, lambda _: None)
    line.write([b"let me in"])
    await asyncio.sleep(0.05)
    assert heard == [b"let me in"]
    assert repr(address.key)[2:-1] not in repr(address)
    line.close()
    server.close()


async def test_who_sends_everything_back_has_proved_nothing() -> None:
    async def mirror(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(1024):
            writer.write(data)
        writer.close()

    server = await asyncio.start_server(mirror, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    with pytest.raises(Unreachable, match="hung up"):
        await connect(Address("127.0.0.1", port, b"k" * 32), lambda *_: None, lambda _: None)
    server.close()


async def test_who_says_nothing_is_hung_up_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "OPEN_S", 0.2)
    server, address = await listen(lambda *_: None, lambda _: None)
    reader, writer = await asyncio.open_connection(address.host, address.port)
    assert len(await asyncio.wait_for(reader.read(), 5)) == transport.SECRET  # its nonce, and the end
    writer.close()
    server.close()


@pytest.mark.parametrize("piece", [1, 7, 1 << 20])
async def test_frames_arrive_whole_however_they_are_cut(piece: int) -> None:
    frames: list[bytes] = []
    line = Connection(b"k" * 32, CALLER, lambda _, frame: frames.append(frame), lambda _: None)
    line._proved = True
    sent = [b"", b"a", b"b" * 70_000, b"", b"c" * 3]
    stream = b"".join(transport.LENGTH.pack(len(frame)) + frame for frame in sent)
    for start in range(0, len(stream), piece):
        line.data_received(stream[start : start + piece])
    assert frames == sent


async def test_two_callers_do_not_get_each_others_answers() -> None:
    desk = Desk()
    first, second = RpcClient(Remote(desk)), RpcClient(Remote(desk))
    answers = await asyncio.gather(
        *(mail.ask("double", number) for number in range(8) for mail in (first, second)),
    )
    assert answers == [2 * number for number in range(8) for _ in range(2)]


async def test_what_comes_together_travels_together() -> None:
    desk = Desk()
    mail = RpcClient(Remote(desk))
    await asyncio.gather(*(mail.ask("echo", number) for number in range(200)))
    assert sum(desk.messages) == 200
    assert len(desk.messages) <= 2


async def test_a_caller_hears_what_the_actor_has_in_hand_for_others() -> None:
    desk, heard = Desk(), []
    mine, other = RpcClient(Remote(desk), heard.append), RpcClient(Remote(desk))
    assert await mine.ask("double", 1, size=2) == 2
    theirs = [asyncio.ensure_future(other.ask("double", 300, size=size)) for size in (3, 4)]
    await asyncio.sleep(0.1)
    assert await mine.ask("double", 1) == 2
    await asyncio.gather(*theirs)
    for _ in range(2):  # the second time there is nothing new to say
        assert await mine.ask("double", 1) == 2
    assert heard == [Load(), Load(7, 1), Load()]
