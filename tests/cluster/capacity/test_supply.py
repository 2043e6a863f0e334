"""Supply is read from Ray's list of nodes, from what an autoscaler declares, and from this machine."""

from __future__ import annotations

import math
from typing import Any

import pytest

from cluster.capacity.supply import cluster_supply, kind_of, machine_supply, smallest_card, with_cards
from cluster.capacity.survey.node_types import GIB, AutoscalerLimits, NodeType
from cluster.host import machine
from cluster.host.ray_session import RayConfig


def ray_node(address: str, *, alive: bool = True, head: bool = False, **resources: float) -> dict[str, Any]:
    """Return a node as ``ray.nodes`` lists it."""
    named = {"node:__internal_head__": 1.0} if head else {}
    return {"NodeManagerAddress": address, "Alive": alive, "Resources": {**resources, **named}, "Labels": {"zone": "a"}}


def node_type(name: str, cpus: float, gpus: float, max_count: int) -> NodeType:
    return NodeType(name=name, cpus=cpus, gpus=gpus, memory_gib=None, max_count=max_count)


HEAD = ray_node("10.0.0.1", head=True, CPU=8.0)
EIGHT = ray_node(
    "10.0.0.2", CPU=64.0, GPU=8.0, memory=200 * GIB, object_store_memory=56 * GIB, **{"accelerator_type:H100": 1.0}
)
LIMITS = AutoscalerLimits((node_type("gpu", 64, 8, 3), node_type("cpu", 16, 0, 10)), max_workers=4)


def test_nodes_are_read_with_memory_and_kind_of_card() -> None:
    supply = cluster_supply([HEAD, EIGHT, ray_node("10.0.0.3", alive=False, GPU=8.0)], None, None)
    head, gpu = supply.nodes
    assert (head.is_head, head.cpus, head.gpus, head.memory_gib) == (True, 8, 0, math.inf)
    assert (gpu.is_head, gpu.gpus, gpu.memory_gib, gpu.accelerator, gpu.labels) == (
        False,
        8,
        256,
        "H100",
        {"zone": "a"},
    )
    assert supply.is_fixed and supply.most_gpus == 8


def test_workers_that_run_are_taken_off_what_can_be_added() -> None:
    supply = cluster_supply([HEAD, EIGHT], LIMITS, None)
    assert [node.name for node in supply.can_add] == ["a gpu"] * 2 + ["a cpu"] * 10
    assert supply.add_at_most == 3 and supply.most_gpus == 24 and not supply.is_fixed
    assert supply.most_cpus == 8 + 64 + 2 * 64 + 16


def test_full_cluster_adds_nothing() -> None:
    supply = cluster_supply([HEAD, EIGHT], AutoscalerLimits((node_type("gpu", 64, 8, 1),), max_workers=1), None)
    assert supply.is_fixed and supply.can_add == ()


@pytest.mark.parametrize(
    ("nodes", "max_gpus", "added"),
    [([HEAD, EIGHT], 20, [8, 4]), ([HEAD], 12, [8, 4]), ([HEAD, EIGHT], 8, []), ([HEAD, EIGHT], 0, [])],
)
def test_max_gpus_says_what_a_cluster_grows_to(nodes: list[dict[str, Any]], max_gpus: int, added: list[int]) -> None:
    supply = cluster_supply(nodes, None, max_gpus)
    assert [node.gpus for node in supply.can_add] == added
    assert supply.is_fixed == (not added)


def test_max_gpus_goes_before_what_the_autoscaler_declares() -> None:
    supply = cluster_supply([HEAD, EIGHT], LIMITS, 16)
    assert [node.gpus for node in supply.can_add] == [0] * 10 + [8]


def test_cards_are_known_by_the_kind_of_their_node() -> None:
    supply = with_cards(cluster_supply([HEAD, EIGHT], LIMITS, 16), {"8 x H100": 79.6})
    assert [node.gpu_memory_gib for node in supply.nodes] == [None, 79.6]
    assert supply.can_add[-1].gpu_memory_gib == 79.6
    assert [kind_of(node) for node in supply.nodes] == ["CPU", "8 x H100"]


def test_machine_has_the_gpus_that_its_process_may_see(monkeypatch: pytest.MonkeyPatch) -> None:
    cards = ["NVIDIA H100 80GB HBM3, 81559 MiB, 535.1", "NVIDIA A10, 23028 MiB, 535.1"]
    monkeypatch.setattr(machine, "gpus", lambda: cards)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    (node,) = machine_supply(RayConfig(num_cpus=3)).nodes
    assert (node.cpus, node.gpus, node.accelerator) == (3, 2, "NVIDIA H100 80GB HBM3")
    assert node.gpu_memory_gib == pytest.approx(22.49, abs=0.01)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    assert machine_supply(RayConfig()).gpus == 1
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert machine_supply(RayConfig()).gpus == 0
    assert machine_supply(RayConfig(num_gpus=4)).gpus == 4


def test_no_card_has_no_memory() -> None:
    assert smallest_card([]) is None
