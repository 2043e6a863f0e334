from __future__ import annotations

import pytest

from cluster.capacity.bundles import GroupNeed, Supply
from cluster.capacity.memory.shortage import HEAD_GIB, NODE_GIB, find_shortage, usable_gib, without_memory
from tests.cluster.capacity.made_up_nodes import cluster, group, growing, node, stage


def laptop(memory_gib: float) -> Supply:
    return cluster(node("this machine", memory_gib=memory_gib, is_head=True))


def training(memory_gib: float, **more: float) -> GroupNeed:
    return group("training", cpus=1, memory_gib=memory_gib, memory_parts="optimizer 7.0", **more)


def test_node_keeps_what_ray_and_the_driver_take() -> None:
    assert usable_gib(node(memory_gib=20, is_head=True)) == pytest.approx(19 - HEAD_GIB)
    assert usable_gib(node(memory_gib=20)) == pytest.approx(19 - NODE_GIB)


def test_worker_that_no_node_holds_is_named_with_its_parts() -> None:
    fault = find_shortage([stage("r1/train_policy", training(24))], laptop(23.4))
    assert fault is not None
    assert fault.describe("this machine") == (
        "round 1 (train policy): one training worker needs 24 GiB of memory (optimizer 7.0), and this machine has "
        f"{23.4 * 0.95 - HEAD_GIB:.1f} for it"
    )


def test_estimate_counts_by_a_share_when_that_is_asked_for() -> None:
    stages = [stage("r1/train_policy", training(22))]
    assert find_shortage(stages, laptop(23.4)) is not None
    assert find_shortage(stages, laptop(23.4), 0.9) is None


def test_processes_that_share_libraries_are_not_sure() -> None:
    stages = [stage("r1/train_policy", training(22, soft_memory_gib=3))]
    assert find_shortage(stages, laptop(23.4)) is not None
    assert find_shortage(stages, laptop(23.4), sure=True) is None


def test_processes_of_a_stage_count_together_on_one_node() -> None:
    engine = group("policy", 2, memory_gib=6, memory_parts="weights 4.0")
    fault = find_shortage([stage("r1/train_policy", engine, training(10))], laptop(20))
    assert fault is not None
    assert (fault.group, fault.needs_gib) == (None, 22)
    assert "(2 x policy engine 6, 1 x training worker 10)" in fault.describe("this machine")


def test_processes_of_a_stage_spread_over_nodes() -> None:
    engine = group("policy", 2, memory_gib=6, memory_parts="weights 4.0")
    stages = [stage("r1/train_policy", engine, training(10))]
    assert find_shortage(stages, cluster(node(memory_gib=14), node(memory_gib=14))) is None
    assert find_shortage(stages, growing(node(memory_gib=14), added=(node(memory_gib=14),))) is None


def test_limits_of_executors_do_not_count() -> None:
    executor = group("executor", memory_gib=99, soft_memory_gib=99)
    assert find_shortage([stage("r1/search", executor)], laptop(8)) is None


def test_card_that_is_too_small_is_named() -> None:
    engine = group("policy", gpus=1, gpu_memory_gib=19.6, memory_parts="weights 14.2")
    stages = [stage("r1/search", engine)]
    assert find_shortage(stages, cluster(node(gpus=1, gpu_memory_gib=24))) is None
    fault = find_shortage(stages, cluster(node(gpus=1, gpu_memory_gib=16)))
    assert fault is not None
    assert fault.describe("the cluster") == (
        "round 1 (search): one policy engine needs 19.6 GiB of a GPU (weights 14.2), and the GPUs of the cluster have 16"
    )


def test_card_of_unknown_size_holds_anything() -> None:
    engine = group("policy", gpus=1, gpu_memory_gib=999, memory_parts="weights 999")
    assert find_shortage([stage("r1/search", engine)], cluster(node(gpus=1))) is None


def test_too_few_gpus_are_no_shortage_of_memory() -> None:
    engine = group("policy", 4, gpus=1, memory_gib=2, memory_parts="processes 2.0")
    assert find_shortage([stage("r1/search", engine)], cluster(node(gpus=1, memory_gib=9))) is None


def test_stages_without_memory_keep_the_rest() -> None:
    (bare,) = without_memory([stage("r1/search", group("policy", 2, gpus=1, memory_gib=3, gpu_memory_gib=20))])
    assert bare == stage("r1/search", group("policy", 2, gpus=1))
