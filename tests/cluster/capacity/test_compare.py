"""What does not fit is refused in one line that says what is needed, what there is, and what would be right."""

from __future__ import annotations

import pytest

from cluster.capacity.bundles import StageNeed, Supply
from cluster.capacity.compare import MACHINE, check_fit
from search.errors import UserError
from tests.cluster.capacity.made_up_nodes import cluster, group, growing, node, stage

FOUR = cluster(node(gpus=4))
SIX_GPUS = stage("r3/search", group("policy", 4, gpus=1), group("reward_model", 2, gpus=1), group("executor"))


def refusal(supply: Supply, *stages: StageNeed, place: str = "the cluster") -> str:
    with pytest.raises(UserError) as raised:
        check_fit(stages, supply, place)
    text = str(raised.value)
    assert "\n" not in text
    return text


def test_stages_pass_when_they_fit_one_by_one() -> None:
    check_fit([stage("r1/search", group("policy", 4, gpus=1)), stage("r1/train", group("training", 4, gpus=1))], FOUR)


def test_too_many_gpus_are_refused_by_stage_and_role() -> None:
    assert refusal(FOUR, stage("r1/search", group("policy", 4, gpus=1)), SIX_GPUS) == (
        "round 3 (search) needs 6 GPUs: 4 policy, 2 reward model; the cluster has 4 and declares no growth: ask for less, "
        "or set ray.max_gpus if it adds nodes itself"
    )


def test_refusal_says_to_how_many_gpus_a_cluster_grows() -> None:
    ten = stage("r3/search", group("policy", 10, gpus=1))
    supply = growing(node(gpus=4), added=(node(gpus=4), node(gpus=1)), at_most=1)
    assert "needs 10 GPUs: 10 policy; the cluster has 4 and can grow to 8: " in refusal(supply, ten)
    check_fit([SIX_GPUS], supply)


def test_machine_without_gpus_says_how_to_join_a_cluster() -> None:
    text = refusal(cluster(node("this machine")), SIX_GPUS, place=MACHINE)
    assert text.endswith("this machine has 0: ask for less, or join a cluster by --address")


def test_tensor_parallel_over_a_node_names_the_field() -> None:
    supply = cluster(node(gpus=8), node(gpus=8))
    assert refusal(supply, stage("r1/search", group("policy", gpus=16))) == (
        "policy.engine: one policy engine needs 16 GPUs of one node (tensor parallel), and no node of the cluster has more "
        "than 8: set policy.engine.gpus to 8 or less, and more replicas"
    )
    assert "policies.1.engine.gpus" in refusal(supply, stage("r1/search", group("policy_3", gpus=16)))


def test_too_many_cpus_are_refused() -> None:
    text = refusal(FOUR, stage("search", group("executor", 40, cpus=1), group("search_worker", 10)))
    assert text.startswith(
        "search needs 45 CPUs: 40 executor, 5 search worker; the cluster has 8 and declares no growth"
    )
    assert text.endswith("lower num_cpus of engines, executor and workers (0 reserves none), or add nodes")


def test_memory_is_left_to_its_own_check() -> None:
    check_fit([stage("search", group("policy", memory_gib=31))], cluster(node(memory_gib=24)))


def test_groups_that_fit_in_sum_but_no_nodes_are_refused() -> None:
    supply = cluster(node(gpus=3), node(gpus=1), node(gpus=1))
    text = refusal(supply, stage("r1/search", group("policy", gpus=3), group("reward_model", gpus=2)))
    assert text == (
        "round 1 (search) does not fit the nodes of the cluster: no room for 1 of 1 reward model (2 GPUs, 0.5 CPUs) beside "
        "1 policy; there are 3 nodes: 1 x (8 CPUs, 3 GPUs), 2 x (8 CPUs, 1 GPU)"
    )
