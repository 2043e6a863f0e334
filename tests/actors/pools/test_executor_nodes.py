"""Executors: CPU nodes first, then spare CPUs of GPU nodes, the head last."""

from __future__ import annotations

from typing import Any

import pytest

from actors.placement.config import PlacementSettings
from actors.placement.nodes import EXECUTOR_ROLE, ROLE_LABEL, Node
from actors.pools.executor_nodes import ExecutorPlan, plan_executors
from actors.sandbox.config import ExecutorConfig
from search.errors import UserError

HEAD = Node(id="head", address="10.0.0.1", cpus=8, gpus=0, free_cpus=8, free_gpus=0, is_head=True)
CPUS = [
    Node(id=f"cpu{number}", address=f"10.0.0.2{number}", cpus=16, gpus=0, free_cpus=16, free_gpus=0)
    for number in range(2)
]
GPUS = [
    Node(id=f"gpu{number}", address=f"10.0.0.3{number}", cpus=48, gpus=4, free_cpus=44, free_gpus=0)
    for number in range(2)
]


def plan(nodes: list[Node], replicas: int, settings: dict[str, Any] | None = None, **config: Any) -> ExecutorPlan:
    return plan_executors(ExecutorConfig(replicas=replicas, **config), nodes, PlacementSettings(**(settings or {})))


def ids(chosen: ExecutorPlan) -> list[str]:
    return [seat.node.id for seat in chosen.seats]


def test_every_node_gets_one_before_any_gets_two() -> None:
    chosen = plan([HEAD, *GPUS, *CPUS], 7)
    assert ids(chosen) == ["cpu0", "cpu1", "gpu0", "gpu1", "head", "cpu0", "cpu1"]
    assert chosen.describe() == (
        "executors: 4 on 2 CPU nodes, 2 on spare CPUs of 2 GPU nodes (2 CPUs of each GPU are kept free), 1 on the head node"
    )


def test_tier_is_filled_first_by_executors_with_their_own_steps() -> None:
    assert ids(plan([HEAD, *GPUS, *CPUS], 4, concurrency=8, num_cpus=8)) == ["cpu0", "cpu1", "cpu0", "cpu1"]
    assert ids(plan([HEAD, *GPUS, *CPUS], 6, concurrency=8, num_cpus=8))[4:] == ["gpu0", "gpu1"]


def test_executor_beside_engines_runs_steps_on_spare_cores_alone() -> None:
    """Of 48 CPUs 2 x 4 are kept for the engines of 4 GPUs: 40 x 2 steps."""
    (seat,) = plan([GPUS[0]], 1).seats
    assert seat.concurrency == 80
    assert plan([CPUS[0]], 1).seats[0].concurrency == 0  # two steps a core of the whole node
    assert plan([GPUS[0]], 1, {"reserved_cpus": 0}).seats[0].concurrency == 96


def test_gpu_node_without_spare_cpus_gets_none() -> None:
    chosen = plan([HEAD, *GPUS], 2, {"reserved_cpus": 11})
    assert ids(chosen) == ["head", "head"]
    assert chosen.describe() == "executors: 2 on the head node"


def test_cpu_only_refuses_when_cpu_nodes_have_no_room() -> None:
    settings = {"executors": "cpu_only"}
    assert ids(plan([HEAD, *GPUS, *CPUS], 3, settings)) == ["cpu0", "cpu1", "cpu0"]
    with pytest.raises(UserError, match=r"cpu_only, and 1 of 5 executors of 8 CPUs .* 10.0.0.20 with 16 free CPUs"):
        plan([HEAD, *GPUS, *CPUS], 5, settings, num_cpus=8)
    with pytest.raises(UserError, match=r"2 of 2 executors .*there is none"):
        plan([HEAD, *GPUS], 2, settings)


def test_labelled_node_is_for_executors_even_as_the_head() -> None:
    head = Node(
        id="head", address="10.0.0.1", cpus=8, gpus=0, free_cpus=8, free_gpus=0, is_head=True,
        labels={ROLE_LABEL: EXECUTOR_ROLE},
    )  # fmt: skip
    assert plan([head], 1, {"executors": "cpu_only"}).describe() == "executors: 1 on 1 CPU node"


def test_executors_without_room_are_said_to_wait() -> None:
    chosen = plan([HEAD], 3, num_cpus=6)
    assert (ids(chosen), chosen.describe()) == (["head"], "executors: 1 on the head node, 2 wait for nodes with room")
