"""What actors ask for against what nodes have free, and the line that says what is missing."""

from __future__ import annotations

import pytest

from actors.placement.demand import (
    SMALLEST_CPUS,
    Demand,
    describe_missing,
    describe_wait,
    make_demand,
    without_place,
)
from actors.placement.nodes import Node


def node(name: str, cpus: float, gpus: float = 0.0) -> Node:
    return Node(id=name, address=name, cpus=cpus, gpus=gpus, free_cpus=cpus, free_gpus=gpus)


def engines(count: int, gpus: float) -> list[Demand]:
    return [Demand(f"policy-{index}", 1, gpus) for index in range(count)]


@pytest.mark.parametrize(
    ("demands", "missing"),
    [
        (engines(4, 2), []),
        (engines(5, 2), ["policy-4"]),
        (engines(1, 3), []),
        (engines(1, 8), ["policy-0"]),  # 8 GPUs in all, but 4 on a node
        ([*engines(4, 1), Demand("reward_model-0", 1, 4)], []),  # the large one is placed first
        ([Demand("executor-0", 9)], ["executor-0"]),
    ],
)
def test_demands_without_a_place_are_named(demands: list[Demand], missing: list[str]) -> None:
    nodes = [node("a", 8, 4), node("b", 8, 4)]
    assert [demand.name for demand in without_place(demands, nodes)] == missing


def test_small_demands_leave_whole_nodes_to_large_ones() -> None:
    """Four single GPUs go to the node that is already in use, so that two nodes stay whole."""
    nodes = [node("a", 8, 4), Node(id="b", address="b", cpus=8, gpus=4, free_cpus=8, free_gpus=2), node("c", 8, 4)]
    assert without_place([*engines(2, 1), Demand("r-0", 1, 4), Demand("r-1", 1, 4)], nodes) == []


@pytest.mark.parametrize(
    ("demands", "nodes", "text"),
    [
        (engines(2, 4), [], "2 nodes with 4 GPUs (policy-0, policy-1)"),
        (engines(6, 1), [node("a", 8, 4)], "1 node with 4 GPUs (policy-4, policy-5)"),
        (engines(1, 0.5), [], "1 node with 1 GPU (policy-0)"),
        ([Demand("executor-0", 2)], [node("a", 1)], "1 node with 2 free CPUs (executor-0)"),
        (
            [*engines(1, 2), Demand("executor-0", 2)],
            [],
            "1 node with 2 GPUs and 1 node with 2 free CPUs (policy-0, executor-0)",
        ),
        (
            [Demand(f"e-{index}", 1) for index in range(6)],
            [],
            "6 nodes with 1 free CPU (e-0, e-1, e-2, e-3 and 2 more)",
        ),
        (engines(1, 1), [node("a", 8, 4)], "Ray to start policy-0"),
    ],
)
def test_missing_nodes_are_counted_in_their_size(demands: list[Demand], nodes: list[Node], text: str) -> None:
    assert describe_missing(demands, nodes) == text


def test_wait_says_what_is_missing_and_for_how_long() -> None:
    line = describe_wait(engines(2, 4), [], 190.7)
    assert line == "waiting for 2 nodes with 4 GPUs (policy-0, policy-1), 3:10 min"


def test_actor_that_asks_for_nothing_is_still_placed() -> None:
    assert make_demand("search-0", 0).resources == {"CPU": SMALLEST_CPUS}
    assert make_demand("policy-0", 0, 2).resources == {"GPU": 2}
    assert make_demand("policy-0", 1, 0).resources == {"CPU": 1}
