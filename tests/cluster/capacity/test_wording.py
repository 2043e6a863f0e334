"""Words for needs and supply."""

from __future__ import annotations

import math

import pytest

from cluster.capacity.bundles import Bundle
from cluster.capacity.wording import amounts, bundle_text, count, describe_supply, field_of, number, stage_title
from tests.cluster.capacity.made_up_nodes import cluster, group, growing, node


@pytest.mark.parametrize(
    ("stage", "title"),
    [("r3/train_policy", "round 3 (train policy)"), ("search", "search"), ("train_policy", "train_policy")],
)
def test_stage_is_called_by_its_round(stage: str, title: str) -> None:
    assert stage_title(stage) == title


@pytest.mark.parametrize(
    ("role", "stage", "section"),
    [
        ("policy", "search", "policy.engine"),
        ("second_policy", "search", "policy.engine"),
        ("policy_2", "search", "policies.0.engine"),
        ("reward_model", "r2/search", "reward_model.engine"),
        ("executor", "search", "executor"),
        ("search_worker", "search", "workers"),
        ("training", "r2/train_reward_model", "train.reward_model"),
        ("training", "train_policy", "train.policy"),
        ("training", "r2/train", "train"),
        ("training", "r0/base", "policy.recipe.train"),
    ],
)
def test_group_is_set_by_a_section_of_the_config(role: str, stage: str, section: str) -> None:
    assert field_of(group(role), stage) == section


def test_numbers_have_no_needless_digits() -> None:
    assert [number(amount) for amount in (0.3333, 1.0, 31.46, 4096, math.inf)] == [
        "0.33",
        "1",
        "31.5",
        "4096",
        "unlimited",
    ]
    assert [count(amount, "GPU") for amount in (1, 0.5, 4)] == ["1 GPU", "0.5 GPUs", "4 GPUs"]


def test_amounts_are_summed_by_role_the_largest_first() -> None:
    groups = [
        group("reward_model", 2, gpus=0.5),
        group("policy", 4, gpus=1),
        group("executor"),
        group("policy", 1, gpus=2),
    ]
    assert amounts(groups, "gpus") == "6 policy, 1 reward model"


def test_bundle_says_what_it_takes() -> None:
    engine = Bundle(cpus=0.5, gpus=2, memory_gib=8.25, gpu_memory_gib=31.46)
    assert bundle_text(engine) == "2 GPUs with 31.5 GiB or more, 0.5 CPUs, 8.2 GiB of memory"
    assert bundle_text(Bundle(cpus=0, gpus=0)) == "no reserved CPU"
    assert bundle_text(Bundle(cpus=1, gpus=0, disk_gib=26.1)) == "1 CPU, 26.1 GiB of disk"


def test_supply_says_what_there_is_and_what_can_be_added() -> None:
    nodes = node(cpus=8), node(cpus=64, gpus=8), node(cpus=64, gpus=8)
    assert describe_supply(cluster(*nodes)) == "3 nodes: 1 x (8 CPUs, no GPU), 2 x (64 CPUs, 8 GPUs)"
    more = growing(*nodes, added=(node(cpus=64, gpus=8),) * 3, at_most=2)
    assert describe_supply(more).endswith("; can grow to 32 GPUs and 264 CPUs, 2 more nodes at most")
