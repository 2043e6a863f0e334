"""Every objective in one process: it learns, and what two ranks' batches add up to is what one batch a step teaches."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from search.formats.registry import CodeFormat
from train.config import TrainConfig
from train.data.batches import Batch, PlanConfig, step_batches
from train.data.loading import load_samples
from train.data.tokenized import TokenizedSet
from train.objectives import OBJECTIVES, Kind, Objective, Options
from train.trainer.models import Readout, load
from train.trainer.reference_logprobs import reference

CONFIG = TrainConfig(precision="fp32", zero_stage=0)
EPOCHS, BATCH = 3, 8  # 22 samples: three steps an epoch, the last of them smaller
CPU = torch.device("cpu")


def losses(readout: Readout, objective: Objective, steps: list[list[Batch]]) -> tuple[list[float], list[list[float]]]:
    """Loss and metrics of each step of plain AdamW on the sum over a step's batches."""
    optimizer = torch.optim.AdamW(readout.parameters(), lr=3e-3, betas=CONFIG.betas, weight_decay=0.0)
    found, metrics = [], []
    for batches in steps:
        optimizer.zero_grad()
        total, row = 0.0, [0.0] * len(objective.metrics)
        for batch in batches:
            outputs = objective.read(readout(batch.input_ids, batch.positions), batch.targets)
            loss = (objective.loss(outputs, batch.targets, Options()) * batch.weights).sum()
            loss.backward()
            total += loss.item()
            for i, function in enumerate(objective.metrics.values()):
                row[i] += (function(outputs, batch.targets, Options()) * batch.weights).sum().item()
        torch.nn.utils.clip_grad_norm_(readout.parameters(), 1.0)
        optimizer.step()
        found.append(total)
        metrics.append(row)
    return found, metrics


def prepared(name: str, init: Path, data: dict[str, Path]) -> TokenizedSet:
    """The objective's samples, with the reference where it needs one."""
    samples, _ = load_samples(OBJECTIVES[name].kind, init, (data[name],), CodeFormat(), 1024)
    if samples.kind is not Kind.PREFERENCES:
        return samples
    readout = load(init, samples.kind, CONFIG, samples.pad_id)
    return replace(samples, reference=reference(readout, samples, PlanConfig(BATCH, 1024, 1, seed=5), 0, CPU))


def together(samples: TokenizedSet, world: int, tokens: int) -> list[list[Batch]]:
    """The batches of all ranks, a list a step."""
    plan = PlanConfig(BATCH, tokens, world, seed=5)
    ranks = [step_batches(samples, plan, rank, 0, EPOCHS) for rank in range(world)]
    return [[batch for batches in step for batch in batches] for step in zip(*ranks, strict=True)]


@pytest.mark.parametrize("name", sorted(OBJECTIVES))
def test_two_ranks_learn_what_one_learns(name: str, tiny_model: Path, data: dict[str, Path]) -> None:
    objective, samples = OBJECTIVES[name], prepared(name, tiny_model, data)
    one, two = (load(tiny_model, objective.kind, CONFIG, samples.pad_id) for _ in range(2))
    alone, metrics = losses(one, objective, together(samples, 1, 1_000_000))
    shared, same = losses(two, objective, together(samples, 2, 320))
    assert len(alone) == 9
    assert shared == pytest.approx(alone, abs=1e-4)
    for left, right in zip(metrics[1:], same[1:], strict=True):  # before the first step a pair's accuracy is a coin's
        assert left == pytest.approx(right, rel=1e-5, abs=1e-4)
    weights = zip(one.parameters(), two.parameters(), strict=True)
    assert max((a - b).abs().max().item() for a, b in weights) < 1e-4


@pytest.mark.parametrize("name", sorted(OBJECTIVES))
def test_a_batch_seen_again_and_again_is_learnt(name: str, tiny_model: Path, data: dict[str, Path]) -> None:
    objective, samples = OBJECTIVES[name], prepared(name, tiny_model, data)
    readout = load(tiny_model, objective.kind, CONFIG, samples.pad_id)
    found, _ = losses(readout, objective, together(samples, 1, 1_000_000)[:1] * 20)
    assert found[-1] < 0.8 * found[0]


def test_before_the_first_step_preferences_are_even(tiny_model: Path, data: dict[str, Path]) -> None:
    objective, samples = OBJECTIVES["dpo"], prepared("dpo", tiny_model, data)
    readout = load(tiny_model, objective.kind, CONFIG, samples.pad_id)
    found, metrics = losses(readout, objective, together(samples, 1, 1_000_000)[:1])
    row = dict(zip(objective.metrics, metrics[0], strict=True))
    assert found == pytest.approx([math.log(2)], abs=1e-5)
    assert row["reward_margin"] == pytest.approx(0.0, abs=1e-4)
    assert row["chosen_log_probability"] < -100
