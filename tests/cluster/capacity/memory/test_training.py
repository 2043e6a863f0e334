"""What one worker of a training takes, worked out by hand: P weights, s bytes each, N workers."""

from __future__ import annotations

import pytest

from cluster.capacity.memory.activations import largest_micro_batch
from cluster.capacity.memory.training import CUDA_GIB, PROCESS_GIB, RAY_TRAIN_GIB, training_memory
from tests.cluster.capacity.memory.public_models import half_b, qwen_7b
from train.config import TrainConfig

GIB = 2**30
P = 7_615_616_512  # Qwen2.5-7B
FEW = {"micro_batch_tokens": 1024, "batch_size": 16, "max_length": 1024, "gradient_checkpointing": True}


def gpu_training(workers: int = 8, **settings: object) -> dict[str, float]:
    train = TrainConfig.model_validate(FEW | settings)
    return dict(training_memory(qwen_7b(), train, workers=workers, gpus=workers).parts)


def test_zero_1_splits_the_optimizer_over_workers() -> None:
    parts = gpu_training(zero_stage=1)
    assert parts["weights"] == pytest.approx(2 * P / GIB)
    assert parts["gradients"] == pytest.approx(2 * P / GIB)
    assert parts["optimizer"] == pytest.approx(16 * P / 8 / GIB)  # 4 copy, 8 moments, 4 gradients in float32


def test_zero_2_takes_what_deepspeed_says() -> None:
    parts = gpu_training(zero_stage=2)
    assert sum(parts[name] for name in ("weights", "gradients", "optimizer")) == pytest.approx((2 + 18 / 8) * P / GIB)


def test_zero_3_takes_what_deepspeed_says_or_more() -> None:
    parts = gpu_training(zero_stage=3)
    states = sum(parts[name] for name in ("weights", "gradients", "optimizer", "gathered weights"))
    largest = 152064 * 3584
    assert states == pytest.approx(max(20 * P / 8, 18 * P / 8 + 4 * largest) / GIB)


def test_one_gpu_holds_twenty_bytes_a_weight() -> None:
    parts = gpu_training(1, zero_stage=1)
    assert sum(parts[name] for name in ("weights", "gradients", "optimizer")) == pytest.approx(20 * P / GIB)


def test_offloaded_optimizer_lies_on_the_host() -> None:
    train = TrainConfig.model_validate(FEW | {"zero_stage": 2, "offload": "optimizer"})
    use = training_memory(qwen_7b(), train, workers=8, gpus=8)
    assert use.parts["weights"] == pytest.approx(2 * P / GIB)
    assert use.parts["gradients"] == use.parts["optimizer"] == 0
    # DeepSpeed: 4 bytes a weight and GPU, half as much again, of which a worker has an eighth.
    assert use.per_host_gib == pytest.approx(1.5 * 4 * 8 * P / 8 / GIB + PROCESS_GIB + RAY_TRAIN_GIB / 8)


def test_offloaded_weights_leave_the_gpu_one_layer() -> None:
    train = TrainConfig.model_validate(FEW | {"zero_stage": 3, "offload": "optimizer_and_weights"})
    use = training_memory(qwen_7b(), train, workers=8, gpus=8)
    assert use.parts["weights"] == use.parts["gradients"] == use.parts["optimizer"] == 0
    assert use.parts["gathered weights"] == pytest.approx(4 * 152064 * 3584 / GIB)


def test_offload_spares_nothing_without_a_gpu() -> None:
    whole, offloaded = (
        training_memory(half_b(), TrainConfig.model_validate(FEW | {"offload": offload}), workers=1, gpus=0)
        for offload in ("none", "optimizer")
    )
    assert whole == offloaded
    assert whole.per_gpu_gib == 0


def test_parts_of_a_gpu_add_up() -> None:
    use = training_memory(qwen_7b(), TrainConfig.model_validate(FEW), workers=8, gpus=8)
    assert use.per_gpu_gib == pytest.approx(sum(use.parts.values()))
    assert use.parts["CUDA"] == CUDA_GIB


def test_cpu_step_takes_more_than_a_small_backward_pass() -> None:
    train = TrainConfig.model_validate(FEW | {"precision": "bf16", "micro_batch_tokens": 16, "max_length": 16})
    parts = training_memory(half_b(), train, workers=1, gpus=0).parts
    weights = half_b().parameters
    assert parts["weights"] == parts["gradients"] == pytest.approx(2 * weights / GIB)
    assert parts["optimizer"] == pytest.approx(12 * weights / GIB)
    # 4 of gradients, two temporaries of 4; gradients of layers that the C library keeps; 16 tokens take next to nothing.
    of_layers = weights - 2 * 151936 * 896
    assert parts["optimizer step"] == pytest.approx((12 * weights + 2 * of_layers) / GIB, rel=0.01)
    assert "activations" not in parts


def test_cpu_keeps_small_activations_during_the_step() -> None:
    train = TrainConfig.model_validate(FEW | {"precision": "bf16", "gradient_checkpointing": False})
    short, long = (
        training_memory(half_b(), train, workers=1, gpus=0, objective="ppm", longest=length).parts["optimizer step"]
        for length in (16, 512)
    )
    assert long > short + 1.0


def test_cpu_backward_pass_of_a_large_batch_is_the_peak() -> None:
    train = TrainConfig(precision="bf16", micro_batch_tokens=8192, batch_size=32)
    parts = training_memory(half_b(), train, workers=1, gpus=0).parts
    assert parts["activations"] > 12 * half_b().parameters / GIB
    assert "optimizer step" not in parts


def test_fp32_without_zero_has_no_second_copy() -> None:
    train = TrainConfig.model_validate(FEW | {"precision": "fp32", "zero_stage": 0})
    parts = training_memory(half_b(), train, workers=1, gpus=0).parts
    assert parts["optimizer"] == pytest.approx(8 * half_b().parameters / GIB)


def test_reward_model_has_no_output_layer() -> None:
    train = TrainConfig.model_validate(FEW | {"precision": "bf16"})
    parts = training_memory(half_b(), train, workers=1, gpus=0, objective="ppm").parts
    assert parts["weights"] == pytest.approx(2 * (half_b().parameters - 151936 * 896) / GIB)


def test_adapters_have_the_only_gradients() -> None:
    train = TrainConfig.model_validate(FEW | {"precision": "bf16"})
    parts = training_memory(half_b(), train, workers=1, gpus=0, trained=1_000_000).parts
    assert parts["weights"] == pytest.approx(2 * half_b().parameters / GIB)
    assert parts["optimizer"] == pytest.approx(12_000_000 / GIB)


def test_half_a_billion_of_the_log_is_too_much_for_24_gb() -> None:
    # docs/LOG.md: Ray ended it at 20 GB of one worker; with 1,024 tokens and checkpointing it passed.
    shared = {"batch_size": 4, "precision": "bf16"}
    killed = TrainConfig.model_validate(shared | {"micro_batch_tokens": 8192})
    passed = TrainConfig.model_validate(shared | {"micro_batch_tokens": 1024, "gradient_checkpointing": True})
    for objective in ("sft", "ppm"):
        assert training_memory(half_b(), killed, workers=1, gpus=0, objective=objective).per_host_gib > 18.6
        assert training_memory(half_b(), passed, workers=1, gpus=0, objective=objective).per_host_gib < 20


@pytest.mark.parametrize(
    ("objective", "settings", "tokens", "length", "outputs"),
    [
        ("sft", {"micro_batch_tokens": 2048, "max_length": 256}, 2048, 256, 2048),
        ("sft", {"micro_batch_tokens": 100, "max_length": 250}, 256, 256, 256),  # one row is never split
        ("ppm", {"micro_batch_tokens": 100, "max_length": 256}, 512, 256, 0),  # nor are the two of a pair
        ("dpo", {"micro_batch_tokens": 8192, "max_length": 256, "batch_size": 4}, 2048, 256, 2048),  # the whole step
    ],
)
def test_largest_micro_batch_is_bounded_by_unit_and_step(
    objective: str, settings: dict[str, int], tokens: int, length: int, outputs: int
) -> None:
    batch = largest_micro_batch(TrainConfig.model_validate(settings), objective, 1, None)
    assert (batch.tokens, batch.length, batch.outputs) == (tokens, length, outputs)


def test_micro_batch_shrinks_when_workers_share_a_step() -> None:
    train = TrainConfig(micro_batch_tokens=8192, max_length=256, batch_size=16)
    assert [largest_micro_batch(train, "sft", workers, None).tokens for workers in (1, 4)] == [4096, 1024]
    assert largest_micro_batch(train, "sft", 1, 128).tokens == 2048  # no sequence is longer than the context
