"""Groups are placed whole on nodes; shares of a GPU stay on one card."""

from __future__ import annotations

from cluster.capacity.bundles import Supply
from cluster.capacity.packing import unplaced
from tests.cluster.capacity.made_up_nodes import cluster, group, growing, node, stage


def left(supply: Supply, *groups: object) -> tuple[str, int] | None:
    """Return the role and number of what finds no room."""
    missing = unplaced(stage("s", *groups), supply)  # type: ignore[arg-type]
    return None if missing is None else (missing[0].role, missing[1])


def test_replica_finds_no_room_when_its_gpus_are_on_two_nodes() -> None:
    two_by_two = cluster(node(gpus=2), node(gpus=2))
    assert left(two_by_two, group("policy", 2, gpus=2)) is None
    assert left(two_by_two, group("policy", 1, gpus=4)) == ("policy", 1)


def test_shares_fit_only_when_one_card_holds_each() -> None:
    two_cards = cluster(node(gpus=2))
    assert left(two_cards, group("policy", gpus=0.6), group("reward_model", gpus=0.6)) is None
    assert left(cluster(node(gpus=1)), group("policy", gpus=0.5), group("reward_model", gpus=0.5)) is None
    assert left(two_cards, group("policy", 3, gpus=0.6)) == ("policy", 1)
    assert left(two_cards, group("policy", gpus=1), group("reward_model", gpus=1), group("third", gpus=0.1)) == (
        "third",
        1,
    )


def test_share_of_a_card_leaves_a_whole_card_to_others() -> None:
    assert left(cluster(node(gpus=2)), group("policy", gpus=1), group("reward_model", 2, gpus=0.5)) is None


def test_thirds_of_a_card_add_up_to_it() -> None:
    assert left(cluster(node(gpus=1)), group("policy", 3, gpus=0.3333)) is None
    assert left(cluster(node(cpus=0.3)), group("search_worker", 3, cpus=0.1)) is None


def test_cpu_groups_go_to_nodes_without_gpus_first() -> None:
    mixed = cluster(node("gpu", cpus=2, gpus=1), node("cpu", cpus=4))
    assert left(mixed, group("executor", 4, cpus=1), group("policy", cpus=2, gpus=1)) is None


def test_processes_without_cpus_fit_a_full_node() -> None:
    assert left(cluster(node(cpus=1)), group("executor", cpus=1), group("search_worker", 500, cpus=0)) is None


def test_memory_counts_without_what_processes_share() -> None:
    small = cluster(node(memory_gib=4))
    assert left(small, group("policy", 2, memory_gib=3)) == ("policy", 1)
    assert left(small, group("policy", 2, memory_gib=3, soft_memory_gib=1)) is None
    assert left(cluster(node()), group("policy", 2, memory_gib=3)) is None  # the memory of the node is not known


def test_nodes_are_added_until_the_limit_of_all_kinds() -> None:
    head, added = node(cpus=2), (*[node("c", cpus=8)] * 4, *[node("g", cpus=8, gpus=4)] * 4)
    needs = group("policy", 8, gpus=1), group("executor", 8, cpus=1)
    assert left(growing(head, added=added, at_most=2), *needs) is None
    assert left(growing(head, added=added, at_most=1), *needs) == ("policy", 4)
    assert left(growing(head, added=added), group("policy", 17, gpus=1)) == ("policy", 1)


def test_order_by_cpus_is_tried_when_that_by_gpus_fails() -> None:
    # By GPUs the engine with the larger share comes first and takes the CPUs that the other needs.
    nodes = cluster(node("a", cpus=8, gpus=1), node("b", cpus=1, gpus=1))
    assert left(nodes, group("policy", cpus=1, gpus=1), group("reward_model", cpus=8, gpus=0.5)) is None
