from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from cluster.capacity.bundles import StageNeed, Supply
from cluster.capacity.compare import CLUSTER, MACHINE
from cluster.capacity.memory.check import MemoryFindings, busy, memory_findings, value_at, with_fields
from cluster.capacity.memory.shape import ModelShape
from cluster.capacity.memory.shortage import HEAD_GIB, counted_gib
from cluster.capacity.needs import Work, needs
from cluster.config import run_config
from cluster.config.overrides import parse
from cluster.config.run_config import RunConfig
from tests.cluster.capacity.made_up_nodes import cluster, group, node, stage
from tests.cluster.capacity.memory.public_models import half_b, qwen_7b

CONFIG = Path("configs/try_model.yaml")
LAPTOP = cluster(node("this machine", cpus=2, memory_gib=23.4, is_head=True))
# As the run in docs/LOG.md that Ray ended; in bf16 on every machine.
LARGE_BATCH = [
    f"--train.{role}.{setting}"
    for role in ("policy", "reward_model")
    for setting in ("micro_batch_tokens=8192", "gradient_checkpointing=false", "precision=bf16")
]


def find(shape: ModelShape, supply: Supply, *options: str) -> MemoryFindings:
    shapes = {"policy": shape}
    config = run_config.load(CONFIG, parse(options))

    def list_stages(changed: RunConfig) -> Sequence[StageNeed]:
        return needs(changed, Work(command="evolve"), shapes)

    return memory_findings(config, list_stages, supply, MACHINE if supply is LAPTOP else CLUSTER, shapes)


def gpus(card_gib: float) -> Supply:
    return cluster(node(cpus=96, gpus=8, memory_gib=1000, gpu_memory_gib=card_gib, is_head=True))


def test_half_a_billion_with_checkpointing_fits_24_gb() -> None:
    passes = [f"--train.{role}.precision=bf16" for role in ("policy", "reward_model")]
    assert find(half_b(), LAPTOP, *passes, "--policy.engine.dtype=bfloat16").refusal is None


def test_half_a_billion_with_a_large_batch_is_refused_in_24_gb() -> None:
    refusal = find(half_b(), LAPTOP, *LARGE_BATCH, "--policy.engine.dtype=bfloat16").refusal
    assert refusal is not None
    assert refusal.startswith("round 1 (train policy): one training worker needs 2")
    assert "set train.policy.micro_batch_tokens=1024" in refusal
    assert "\n" not in refusal


def test_suggested_change_fits_when_it_is_followed() -> None:
    refusal = find(half_b(), LAPTOP, *LARGE_BATCH, "--policy.engine.dtype=bfloat16").refusal
    assert refusal is not None
    changes = [f"--{change}" for change in refusal.rpartition(": set ")[2].split(" and ")]
    assert find(half_b(), LAPTOP, *LARGE_BATCH, "--policy.engine.dtype=bfloat16", *changes).refusal is None


def test_training_that_barely_fits_is_a_warning() -> None:
    changes = [f"--train.{role}.micro_batch_tokens=1024" for role in ("policy", "reward_model")]
    (warning,) = find(half_b(), LAPTOP, *LARGE_BATCH, *changes, "--policy.engine.dtype=bfloat16").warnings
    assert warning.startswith("memory may not suffice: round 1 (train policy): one training worker needs ")
    assert warning.endswith(": end other programs meanwhile")


def test_trainings_side_by_side_are_taken_apart() -> None:
    together = ["--placement.train_together=true", "--policy.engine.dtype=bfloat16"]
    precision = [f"--train.{role}.precision=bf16" for role in ("policy", "reward_model")]
    refusal = find(half_b(), LAPTOP, *together, *precision).refusal
    assert refusal is not None
    assert refusal.endswith("set placement.train_together=false")


def test_7b_on_a_laptop_has_no_remedy_among_settings() -> None:
    refusal = find(qwen_7b(), LAPTOP).refusal
    assert refusal is not None
    assert refusal.endswith("no setting makes it fit: take a smaller model, or a machine with more memory")


def test_7b_on_one_gpu_offloads_its_optimizer() -> None:
    refusal = find(qwen_7b(), gpus(80), "--policy.engine.gpus=1", "--reward_model.engine.gpus=1").refusal
    assert refusal is not None
    assert refusal.endswith("set train.policy.offload=optimizer and train.reward_model.offload=optimizer")


def test_7b_on_eight_gpus_fits() -> None:
    eight = [f"--train.{role}.workers=8" for role in ("policy", "reward_model")]
    options = ["--policy.engine.gpus=1", "--reward_model.engine.gpus=1", *eight]
    assert find(qwen_7b(), gpus(80), *options) == MemoryFindings()


def test_7b_engine_is_spread_when_a_card_is_too_small() -> None:
    eight = [f"--train.{role}.workers=8" for role in ("policy", "reward_model")]
    refusal = find(qwen_7b(), gpus(16), "--policy.engine.gpus=1", "--reward_model.engine.gpus=1", *eight).refusal
    assert refusal is not None
    assert "round 0 (evaluate): one policy engine needs" in refusal
    assert "policy.engine.gpus=2" in refusal


def test_cache_that_holds_no_sequence_is_refused() -> None:
    # 2 * 28 layers * 4 heads * 128 wide * 2 bytes = 56 KiB a token; 32,768 tokens take 1.75 GiB.
    options = ["--policy.engine.max_model_len=32768", "--policy.engine.dtype=bfloat16"]
    supply = cluster(node(cpus=96, memory_gib=1000, is_head=True))
    assert find(qwen_7b(), supply, *options).refusal == (
        "policy.engine.kv_cache_gib: 1 GiB do not hold the 1.75 GiB of one sequence of 32768 tokens: set "
        "policy.engine.kv_cache_gib=1.8 or more"
    )


def test_estimate_close_to_the_limit_is_a_warning() -> None:
    stages = needs(run_config.load(CONFIG), Work(command="evolve"), {"policy": half_b()})
    needed = max(counted_gib(need) for listed in stages for need in listed.groups)
    found = find(half_b(), cluster(node("this machine", memory_gib=(0.97 * needed + HEAD_GIB) / 0.95, is_head=True)))
    assert found.refusal is None
    (warning,) = found.warnings
    assert warning.startswith("memory may not suffice: ")


def test_stage_that_fits_only_an_idle_machine_is_a_warning() -> None:
    stages = [stage("r1/search"), stage("r1/train_policy", group("training", memory_gib=12, memory_parts="x 12.0"))]
    assert list(busy(stages, 13)) == []
    assert list(busy(stages, 11)) == [
        "memory may not suffice: round 1 (train policy) needs 12 GiB at once, and 11 are free now: end other programs"
    ]


@pytest.mark.parametrize(
    ("path", "value"), [("train.policy.zero_stage", 3), ("placement.keep_engines", True), ("policy.engine.gpus", 2)]
)
def test_fields_are_changed_by_their_paths(path: str, value: object) -> None:
    config = run_config.load(CONFIG)
    changed = with_fields(config, {path: value})
    assert value_at(changed, path) == value
    assert value_at(config, path) != value
