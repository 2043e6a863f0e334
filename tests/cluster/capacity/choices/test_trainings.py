"""How trainings are laid out, beside other things and where a round differs."""

from __future__ import annotations

from typing import Any

import pytest

from cluster.capacity.bundles import Supply
from cluster.capacity.choices.trainings import Beside, Training, choose_training
from tests.cluster.capacity.clusters import CLUSTERS, MODELS, node
from train.config import TrainConfig


def laid_out(
    cluster: str | Supply, model: str, beside: Beside | None = None, rounds: tuple[TrainConfig, ...] = (), **fields: Any
) -> TrainConfig:
    train = TrainConfig(**{"batch_size": 128, "max_length": 2048, **fields})
    training = Training(
        section="train.policy",
        train=train,
        rounds=tuple((settings, "sft") for settings in rounds or (train,)),
        shape=MODELS[model],
    )
    supply = CLUSTERS[cluster] if isinstance(cluster, str) else cluster
    return choose_training(training, supply, beside or Beside())


def test_workers_have_a_sample_of_a_step_of_every_round() -> None:
    small = TrainConfig(batch_size=4, max_length=2048)
    assert laid_out("8 x 80", "0.5B").workers == 8
    assert laid_out("8 x 80", "0.5B", batch_size=6).workers == 6
    assert laid_out("8 x 80", "0.5B", rounds=(TrainConfig(batch_size=128), small)).workers == 4


@pytest.mark.parametrize(("batch_size", "workers"), [(16, 1), (64, 3), (128, 7)])
def test_small_model_has_workers_that_compute_more_than_wait(batch_size: int, workers: int) -> None:
    assert laid_out("8 x 80", "5M", batch_size=batch_size).workers == workers  # 6 x 4.7e6 x 2048 FLOP a sequence


def test_engines_that_stay_keep_their_gpus_and_cpus() -> None:
    train = laid_out("8 x 80", "0.5B", Beside(gpus=5.0, cpus=4.0))
    assert (train.workers, train.cpus_per_worker) == (3, 1)
    train = laid_out("laptop", "5M", Beside(cpus=2.0))
    assert (train.workers, train.cpus_per_worker) == (1, 6)  # of 8; without it a training takes all of them and waits
    assert laid_out("laptop", "5M", Beside(trainings=2)).cpus_per_worker == 4


def test_workers_have_the_cpus_of_their_gpu() -> None:
    assert laid_out("8 x 80", "0.5B").cpus_per_worker == 8  # of 24
    few = Supply(nodes=(node("head", 8, 4, memory=512, card=80),))
    assert laid_out(few, "0.5B").cpus_per_worker == 2
    assert laid_out("8 x 80", "0.5B", cpus_per_worker=3).cpus_per_worker == 3


def test_short_passes_come_before_more_work() -> None:
    train = laid_out("1 x 24", "0.5B")
    assert (train.micro_batch_tokens, train.gradient_checkpointing, train.offload) == (2048, False, "none")
    fixed = laid_out("1 x 24", "0.5B", micro_batch_tokens=8192)
    assert (fixed.micro_batch_tokens, fixed.gradient_checkpointing) == (8192, True)


def test_what_a_config_says_of_a_layout_stays() -> None:
    train = laid_out("8 x 80", "7B", zero_stage=3)
    assert (train.zero_stage, train.offload) == (3, "none")
    train = laid_out("8 x 80", "7B", workers=1)
    assert (train.workers, train.offload) == (1, "optimizer")
    train = laid_out("8 x 80", "7B", offload="optimizer_and_weights")
    assert (train.zero_stage, train.offload) == (3, "optimizer_and_weights")


def test_round_with_its_own_stage_gets_no_impossible_offload() -> None:
    rounds = (TrainConfig(batch_size=128, max_length=2048), TrainConfig(batch_size=128, max_length=2048, zero_stage=0))
    assert laid_out("1 x 80", "0.5B", rounds=rounds).offload == "none"


def test_training_on_cpus_stays_as_wished_beside_gpus() -> None:
    train = laid_out("8 x 80", "0.5B", use_gpu=False)
    assert (train.use_gpu, train.workers) == (False, 1)
    assert laid_out("three hosts", "5M").workers == 3
