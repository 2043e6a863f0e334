"""Where requests go: preference, spill-over, waiting, engines that are out."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest

from actors.pools.router import AHEAD, SLACK, Replica, Router, preference


def router(rooms: list[int]) -> Router[str]:
    return Router([Replica(f"handle {i}", f"engine-{i}", room) for i, room in enumerate(rooms)])


def test_a_lost_engine_moves_only_its_own_keys() -> None:
    names = tuple(f"engine-{i}" for i in range(5))
    keys = [f"problem-{i}" for i in range(200)]
    before = {key: names[preference(key, names)[0]] for key in keys}
    left = names[:3] + names[4:]
    after = {key: left[preference(key, left)[0]] for key in keys}
    assert {key for key in keys if before[key] != after[key]} == {key for key in keys if before[key] == "engine-3"}


def test_keys_spread_over_engines() -> None:
    names = ("engine-0", "engine-1")
    first = [preference(f"problem-{i}", names)[0] for i in range(1000)]
    assert 430 < sum(first) < 570  # 500 +- 4.4 standard deviations


async def test_a_key_keeps_its_engine_until_it_is_full() -> None:
    pool = router([2, 2])
    taken = [await pool.take("p") for _ in range(3)]
    assert taken[0] is taken[1]
    assert taken[2] is not taken[0]


async def test_spill_goes_to_the_next_in_order_and_then_to_the_least_loaded() -> None:
    pool = router([4, 40, 40, 40])
    order = preference("p", tuple(lane.name for lane in pool.lanes))
    first, second, third, fourth = (pool.lanes[index] for index in order)
    first.busy, second.busy, third.busy, fourth.busy = first.room, 3, 2, 0
    assert await pool.take("p") is second
    second.busy, third.busy = 30, 5
    assert await pool.take("p") is fourth


async def test_a_lane_well_ahead_of_the_others_gets_no_more() -> None:
    pool = router([400] * 4)
    lanes = Counter([(await pool.take("p")).name for _ in range(100)])
    assert max(lanes.values()) <= SLACK + AHEAD * 25 + 1
    assert min(lanes.values()) > 10


async def test_waits_while_full_and_goes_on_in_order() -> None:
    pool = router([1])
    lane = await pool.take("p")
    came: list[int] = []

    async def late(number: int) -> None:
        held = await pool.take("p")
        came.append(number)
        pool.give(held)

    waiting = [asyncio.create_task(late(number)) for number in range(3)]
    await asyncio.sleep(0)
    assert came == []
    pool.give(lane)
    await asyncio.gather(*waiting)
    assert came == [0, 1, 2]
    assert lane.busy == 0


async def test_a_cancelled_waiter_loses_no_place() -> None:
    pool = router([1])
    lane = await pool.take("p")
    first, second = (asyncio.create_task(pool.take("p")) for _ in range(2))
    await asyncio.sleep(0)
    pool.give(lane)  # wakes the first …
    first.cancel()  # … which is gone before it runs
    with pytest.raises(asyncio.CancelledError):
        await first
    assert await asyncio.wait_for(second, 1) is lane


async def test_an_engine_that_is_out_gets_nothing_until_it_is_back() -> None:
    pool = router([1, 1])
    preferred = pool.lanes[preference("p", ("engine-0", "engine-1"))[0]]
    pool.down(preferred)
    other = await pool.take("p")
    assert other is not preferred
    waiting = asyncio.create_task(pool.take("p"))
    await asyncio.sleep(0)
    assert not waiting.done()
    pool.back(preferred)
    assert await asyncio.wait_for(waiting, 1) is preferred


async def test_large_requests_are_not_overtaken_by_small_ones() -> None:
    pool = router([4])
    lane = await pool.take("p", 3)
    large, small = asyncio.create_task(pool.take("p", 4)), asyncio.create_task(pool.take("p", 1))
    await asyncio.sleep(0)
    assert lane.busy == 3  # the small one would fit
    assert pool.take_now("p", 1) is None
    pool.give(lane, 3)
    assert await asyncio.wait_for(large, 1) is lane
    await asyncio.sleep(0)
    assert not small.done()
    pool.give(lane, 4)
    assert await asyncio.wait_for(small, 1) is lane
    assert lane.busy == 1


async def test_an_engine_with_nothing_to_do_takes_what_is_larger_than_it() -> None:
    pool = router([4])
    lane = await asyncio.wait_for(pool.take("p", 16), 1)
    assert lane.busy == 16
    assert pool.take_now("p", 1) is None


async def test_more_room_lets_in_those_who_wait() -> None:
    pool = router([1])
    lane = await pool.take("p")
    waiting = [asyncio.create_task(pool.take("p")) for _ in range(3)]
    await asyncio.sleep(0)
    lane.room = 3
    pool.serve()
    await asyncio.sleep(0)
    assert [task.done() for task in waiting] == [True, True, False]
    waiting[2].cancel()


def test_no_engines_is_an_error() -> None:
    with pytest.raises(ValueError, match="at least one engine"):
        Router([])
