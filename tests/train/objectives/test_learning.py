"""Training of every objective in one process: the loss falls, and the batches of two ranks add up to one batch a step."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from search.formats.code_format import CodeFormat
from train.config import TrainConfig
from train.data.batches import Batch, step_batches
from train.data.loading import load_samples
from train.data.plan import PlanConfig
from train.data.tokenized import TokenizedSet
from train.objectives import OBJECTIVES, Objective
from train.objectives.base import LossOptions
from train.trainer.models import ModelWithHead, load_model
from train.trainer.reference_logprobs import reference_log_probs

CONFIG = TrainConfig(precision="fp32", zero_stage=0)
EPOCHS, BATCH = 3, 8  # 22 samples: three steps an epoch, the last of them smaller
CPU = torch.device("cpu")


def train_steps(
    model: ModelWithHead, objective: Objective, steps: list[list[Batch]]
) -> tuple[list[float], list[list[float]]]:
    """Return loss and metrics of each step of plain AdamW on the sum over a step's batches."""
    functions, options = objective.functions(), LossOptions()
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3, betas=CONFIG.betas, weight_decay=0.0)
    losses, metrics = [], []
    for batches in steps:
        optimizer.zero_grad()
        total, row = 0.0, [0.0] * len(functions.metrics)
        for batch in batches:
            outputs = functions.prepare(model(batch.input_ids, batch.positions), batch.targets)
            loss = (functions.loss(outputs, batch.targets, options) * batch.weights).sum()
            loss.backward()
            total += loss.item()
            for i, metric in enumerate(functions.metrics.values()):
                row[i] += (metric(outputs, batch.targets, options) * batch.weights).sum().item()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        losses.append(total)
        metrics.append(row)
    return losses, metrics


def tokenized(name: str, init: Path, data: dict[str, Path]) -> TokenizedSet:
    """Return the objective's samples, with the reference if it needs one."""
    objective = OBJECTIVES[name]
    samples, _ = load_samples(objective, init, (data[name],), CodeFormat(), 1024)
    if not samples.kind.needs_reference:
        return samples
    model = load_model(init, objective.head, CONFIG, samples.pad_id)
    return replace(
        samples,
        reference=reference_log_probs(
            model, samples, PlanConfig(batch_size=BATCH, micro_batch_tokens=1024, world_size=1, seed=5), 0, CPU
        ),
    )


def all_batches(samples: TokenizedSet, world: int, tokens: int) -> list[list[Batch]]:
    """Return the batches of all ranks, a list for each step."""
    plan = PlanConfig(batch_size=BATCH, micro_batch_tokens=tokens, world_size=world, seed=5)
    ranks = [step_batches(samples, plan, rank, 0, EPOCHS) for rank in range(world)]
    return [[batch for batches in step for batch in batches] for step in zip(*ranks, strict=True)]


@pytest.mark.parametrize("name", sorted(OBJECTIVES))
def test_two_ranks_train_as_one_rank(name: str, tiny_model: Path, data: dict[str, Path]) -> None:
    objective, samples = OBJECTIVES[name], tokenized(name, tiny_model, data)
    first, second = (load_model(tiny_model, objective.head, CONFIG, samples.pad_id) for _ in range(2))
    losses, metrics = train_steps(first, objective, all_batches(samples, 1, 1_000_000))
    two_rank_losses, two_rank_metrics = train_steps(second, objective, all_batches(samples, 2, 320))
    assert len(losses) == 9
    assert two_rank_losses == pytest.approx(losses, abs=1e-4)
    for left, right in zip(
        metrics[1:], two_rank_metrics[1:], strict=True
    ):  # before the first step a pair's margin is about 0
        assert left == pytest.approx(right, rel=1e-5, abs=1e-4)
    weights = zip(first.parameters(), second.parameters(), strict=True)
    assert max((a - b).abs().max().item() for a, b in weights) < 1e-4


@pytest.mark.parametrize("name", sorted(OBJECTIVES))
def test_loss_falls_when_a_batch_is_repeated(name: str, tiny_model: Path, data: dict[str, Path]) -> None:
    objective, samples = OBJECTIVES[name], tokenized(name, tiny_model, data)
    model = load_model(tiny_model, objective.head, CONFIG, samples.pad_id)
    losses, _ = train_steps(model, objective, all_batches(samples, 1, 1_000_000)[:1] * 20)
    assert losses[-1] < 0.8 * losses[0]


def test_dpo_margin_is_zero_before_the_first_step(tiny_model: Path, data: dict[str, Path]) -> None:
    objective, samples = OBJECTIVES["dpo"], tokenized("dpo", tiny_model, data)
    model = load_model(tiny_model, objective.head, CONFIG, samples.pad_id)
    losses, metrics = train_steps(model, objective, all_batches(samples, 1, 1_000_000)[:1])
    row = dict(zip(objective.functions().metrics, metrics[0], strict=True))
    assert losses == pytest.approx([math.log(2)], abs=1e-5)
    assert row["reward_margin"] == pytest.approx(0.0, abs=1e-4)
    assert row["chosen_log_probability"] < -100
