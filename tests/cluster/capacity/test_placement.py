"""The executors' line of a plan, and what an autoscaler is asked to hold."""

from __future__ import annotations

from pathlib import Path

import pytest

from cluster.capacity.placement import bundles_to_hold, executor_plan
from cluster.config.run_config import RunConfig, load
from search.errors import UserError
from tests.cluster.capacity.made_up_nodes import cluster, group, growing, node, stage

CONFIG = load(Path(__file__).resolve().parents[3] / "configs" / "arithmetic.yaml")
SEARCH = stage("r1/search", group("policy", 2, cpus=1, gpus=4), group("executor", 3, cpus=8), group("search_worker", 2))
TRAIN = stage("r1/train_policy", group("training", 8, cpus=6, gpus=1))
EVALUATE = stage("r1/evaluate", group("policy", 2, cpus=1, gpus=4), group("reward_model", 1, cpus=1, gpus=2))


def config(**placement: object) -> RunConfig:
    return CONFIG.model_copy(
        update={
            "executor": CONFIG.executor.model_copy(update={"replicas": 2, "num_cpus": 4}),
            "placement": CONFIG.placement.model_copy(update=placement),
        }
    )


def test_largest_stage_is_held_and_not_the_sum_of_all() -> None:
    held = bundles_to_hold([SEARCH, TRAIN, EVALUATE])
    assert sum(bundle.get("GPU", 0) for bundle in held) == 10  # of the evaluation: 2 x 4 and 2
    assert sum(bundle["CPU"] for bundle in held if "GPU" not in bundle) == 25  # of the search: 3 x 8 and 2 x 0.5
    assert bundles_to_hold([]) == []


def test_plan_counts_nodes_that_can_be_added() -> None:
    supply = growing(node("head", cpus=8, is_head=True), added=(node("new", cpus=8), node("more", cpus=8)))
    plan = executor_plan(config(), [SEARCH], supply)
    assert plan is not None and plan.describe() == "executors: 2 on 2 CPU nodes"


def test_plan_without_executors_has_no_line() -> None:
    assert executor_plan(config(), [TRAIN], cluster(node("head", is_head=True))) is None


def test_cpu_only_is_refused_when_all_nodes_have_gpus() -> None:
    supply = cluster(node("10.0.0.1", is_head=True), node("10.0.0.2", gpus=4))
    with pytest.raises(UserError, match=r"placement.executors is cpu_only, and 2 of 2 executors"):
        executor_plan(config(executors="cpu_only"), [SEARCH], supply)
    plan = executor_plan(config(), [SEARCH], supply)
    assert plan is not None and plan.describe() == "executors: 2 on the head node"
