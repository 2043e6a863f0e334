"""The router: rendezvous order, spill-over, waiting, replicas that are down."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest

from actors.pools.router import LOAD_FACTOR, LOAD_SLACK, Replica, Router, rendezvous_order


def make_router(limits: list[int]) -> Router[str]:
    return Router([Replica(f"handle {i}", f"engine-{i}", limit) for i, limit in enumerate(limits)])


def test_removed_replica_moves_only_its_own_keys() -> None:
    names = tuple(f"engine-{i}" for i in range(5))
    keys = [f"problem-{i}" for i in range(200)]
    before = {key: names[rendezvous_order(key, names)[0]] for key in keys}
    remaining = names[:3] + names[4:]
    after = {key: remaining[rendezvous_order(key, remaining)[0]] for key in keys}
    assert {key for key in keys if before[key] != after[key]} == {key for key in keys if before[key] == "engine-3"}


def test_keys_spread_over_replicas() -> None:
    names = ("engine-0", "engine-1")
    first = [rendezvous_order(f"problem-{i}", names)[0] for i in range(1000)]
    assert 430 < sum(first) < 570  # 500 +- 4.4 standard deviations


async def test_key_keeps_its_replica_until_it_is_full() -> None:
    router = make_router([2, 2])
    replicas = [await router.acquire("p") for _ in range(3)]
    assert replicas[0] is replicas[1]
    assert replicas[2] is not replicas[0]


async def test_spill_goes_to_the_second_then_to_the_least_loaded() -> None:
    router = make_router([4, 40, 40, 40])
    order = rendezvous_order("p", tuple(replica.name for replica in router.replicas))
    first, second, third, fourth = (router.replicas[index] for index in order)
    first.inflight, second.inflight, third.inflight, fourth.inflight = first.limit, 3, 2, 0
    assert await router.acquire("p") is second
    second.inflight, third.inflight = 30, 5
    assert await router.acquire("p") is fourth


async def test_replica_well_ahead_of_the_others_is_passed_over() -> None:
    router = make_router([400] * 4)
    requests = Counter([(await router.acquire("p")).name for _ in range(100)])
    assert max(requests.values()) <= LOAD_SLACK + LOAD_FACTOR * 25 + 1
    assert min(requests.values()) > 10


async def test_waiters_are_served_in_order() -> None:
    router = make_router([1])
    replica = await router.acquire("p")
    served: list[int] = []

    async def wait(number: int) -> None:
        acquired = await router.acquire("p")
        served.append(number)
        router.release(acquired)

    waiting = [asyncio.create_task(wait(number)) for number in range(3)]
    await asyncio.sleep(0)
    assert served == []
    router.release(replica)
    await asyncio.gather(*waiting)
    assert served == [0, 1, 2]
    assert replica.inflight == 0


async def test_room_is_not_lost_when_a_granted_waiter_is_cancelled() -> None:
    router = make_router([1])
    replica = await router.acquire("p")
    first, second = (asyncio.create_task(router.acquire("p")) for _ in range(2))
    await asyncio.sleep(0)
    router.release(replica)  # wakes the first …
    first.cancel()  # … which is gone before it runs
    with pytest.raises(asyncio.CancelledError):
        await first
    assert await asyncio.wait_for(second, 1) is replica


async def test_down_replica_gets_no_request_until_it_is_up() -> None:
    router = make_router([1, 1])
    preferred = router.replicas[rendezvous_order("p", ("engine-0", "engine-1"))[0]]
    router.mark_down(preferred)
    other = await router.acquire("p")
    assert other is not preferred
    waiting = asyncio.create_task(router.acquire("p"))
    await asyncio.sleep(0)
    assert not waiting.done()
    router.mark_up(preferred)
    assert await asyncio.wait_for(waiting, 1) is preferred


async def test_small_request_does_not_overtake_a_large_one() -> None:
    router = make_router([4])
    replica = await router.acquire("p", 3)
    large, small = asyncio.create_task(router.acquire("p", 4)), asyncio.create_task(router.acquire("p", 1))
    await asyncio.sleep(0)
    assert replica.inflight == 3  # the small one would fit
    assert router.try_acquire("p", 1) is None
    router.release(replica, 3)
    assert await asyncio.wait_for(large, 1) is replica
    await asyncio.sleep(0)
    assert not small.done()
    router.release(replica, 4)
    assert await asyncio.wait_for(small, 1) is replica
    assert replica.inflight == 1


async def test_idle_replica_takes_a_request_above_its_limit() -> None:
    router = make_router([4])
    replica = await asyncio.wait_for(router.acquire("p", 16), 1)
    assert replica.inflight == 16
    assert router.try_acquire("p", 1) is None


async def test_raised_limit_serves_waiters() -> None:
    router = make_router([1])
    replica = await router.acquire("p")
    waiting = [asyncio.create_task(router.acquire("p")) for _ in range(3)]
    await asyncio.sleep(0)
    replica.limit = 3
    router.wake_waiters()
    await asyncio.sleep(0)
    assert [task.done() for task in waiting] == [True, True, False]
    waiting[2].cancel()


def test_empty_router_is_an_error() -> None:
    with pytest.raises(ValueError, match="at least one engine"):
        Router([])
