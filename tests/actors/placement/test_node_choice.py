"""Tiers of nodes, and the nodes of search workers."""

from __future__ import annotations

from actors.placement.node_choice import NodeTier, choose_worker_nodes, tier_of
from actors.placement.nodes import EXECUTOR_ROLE, ROLE_LABEL, Node


def node(name: str, *, cpus: float = 4, gpus: float = 0, head: bool = False, role: str | None = None) -> Node:
    labels = {ROLE_LABEL: role} if role else {}
    return Node(
        id=name, address=name, cpus=cpus, gpus=gpus, free_cpus=cpus, free_gpus=gpus, is_head=head, labels=labels
    )


def test_tier_follows_label_head_and_gpus() -> None:
    assert tier_of(node("a")) is NodeTier.CPU
    assert tier_of(node("a", gpus=1)) is NodeTier.GPU
    assert tier_of(node("a", head=True)) is NodeTier.HEAD
    assert tier_of(node("a", gpus=1, head=True)) is NodeTier.HEAD
    assert tier_of(node("a", head=True, role=EXECUTOR_ROLE)) is NodeTier.CPU
    assert tier_of(node("a", gpus=1, role="engine")) is NodeTier.GPU


def test_workers_go_one_to_each_node_and_the_head_is_last() -> None:
    nodes = [node("head", head=True), node("b"), node("c", gpus=2)]
    assert [chosen.id for chosen in choose_worker_nodes(2, 0.5, nodes)] == ["b", "c"]
    assert [chosen.id for chosen in choose_worker_nodes(5, 0.5, nodes)] == ["b", "c", "head", "b", "c"]


def test_workers_get_no_node_where_no_cpu_is_free() -> None:
    nodes = [node("b", cpus=1), node("c", cpus=0)]
    assert [chosen.id for chosen in choose_worker_nodes(4, 0.5, nodes)] == ["b", "b"]
    assert [chosen.id for chosen in choose_worker_nodes(3, 0, nodes)] == ["b", "b", "b"]
