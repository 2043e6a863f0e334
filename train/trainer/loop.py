"""Run the training loop, the same for all objectives.

    batches of this rank ──> forward ──> prepare ──> loss an item ──> weighted sum ──> backward
                                                                                          │   each micro-batch
    learning rate of the step ──> optimizer step <── gradient, reduced over ranks ────────┘   each step
                                        │
              every log_every steps ────┼──> metrics, reduced over ranks ──> report           rank 0 shows them
              every save_every steps ───┴──> save(progress)                                   a barrier for all ranks

An item's weight is 1 / (items of the whole step), over all ranks and micro-batches. DeepSpeed divides gradients by
the number of ranks, so each rank's loss is multiplied by it first: what is learnt does not depend on how a step's
samples are spread.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, distributed

from search.seeds import derive
from train.config import TrainConfig
from train.data.batches import Batch
from train.objectives.base import LossFunctions, LossOptions
from train.trainer.job import TrainProgress, TrainReport


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainPlan:
    """Length of a run and its callbacks: ``save`` every ``save_every`` steps (0: never), ``report`` at every report."""

    steps: int
    save_every: int
    seed: int
    save: Callable[[TrainProgress], None]
    report: Callable[[TrainReport], None]


def learning_rate(step: int, steps: int, config: TrainConfig) -> float:
    """Return the learning rate of optimizer step ``step`` (from 0) of ``steps``: linear warm-up, then the schedule."""
    warmup = math.ceil(config.warmup_ratio * steps)
    if step < warmup:
        return config.learning_rate * (step + 1) / warmup
    done = (step - warmup) / max(1, steps - warmup)
    if config.schedule == "linear":
        return config.learning_rate * (1.0 - done)
    if config.schedule == "cosine":
        return config.learning_rate * 0.5 * (1.0 + math.cos(math.pi * done))
    return config.learning_rate


def train(
    engine: Any,
    batches: Iterable[list[Batch]],
    functions: LossFunctions,
    config: TrainConfig,
    plan: TrainPlan,
    progress: TrainProgress,
) -> TrainProgress:
    """Run the remaining optimizer steps and return the progress at the end.

    ``batches`` yields one list of micro-batches for each step, equally long on every rank. Raises FloatingPointError if
    a loss is not finite (noticed at the next report).
    """
    window = _ReportWindow(functions, progress, plan)
    options = LossOptions(squash=config.squash_in_loss, beta=config.dpo_beta, nll_weight=config.nll_weight)
    engine.train()
    for step, micro_batches in enumerate(batches, progress.step):
        rate = learning_rate(step, plan.steps, config)
        for group in engine.optimizer.param_groups:
            group["lr"] = rate
        if config.head_dropout:
            torch.manual_seed(derive(plan.seed, "dropout", step, distributed.get_rank()))
        row = _optimizer_step(engine, micro_batches, functions, options)
        progress.step = step + 1
        window.add(row, sum(batch.tokens for batch in micro_batches))
        save_now = bool(plan.save_every) and progress.step % plan.save_every == 0 and progress.step < plan.steps
        if save_now or progress.step in (1, plan.steps) or progress.step % config.log_every == 0:
            window.close(rate, float(engine.get_global_grad_norm() or 0.0))
        if save_now:
            plan.save(progress)
    return progress


def _optimizer_step(engine: Any, micro_batches: list[Batch], functions: LossFunctions, options: LossOptions) -> Tensor:
    """Run one optimizer step and return this rank's share of loss and metrics, [1 + metrics], on the device."""
    shares = []
    world = distributed.get_world_size()
    for index, batch in enumerate(micro_batches):
        engine.set_gradient_accumulation_boundary(index == len(micro_batches) - 1)
        batch = batch.to(engine.device)
        outputs = functions.prepare(engine(batch.input_ids, batch.positions, batch.trees), batch.targets)
        loss = (functions.loss(outputs, batch.targets, options) * batch.weights).sum()
        engine.backward(loss * world)
        with torch.no_grad():
            metrics = (metric(outputs, batch.targets, options) for metric in functions.metrics.values())
            shares.append(torch.stack([loss.detach(), *((values * batch.weights).sum() for values in metrics)]))
    engine.step()
    return torch.stack(shares).sum(0)


class _ReportWindow:
    """Loss and metrics of the steps since the last report. ``close`` sums them over ranks in one all-reduce."""

    def __init__(self, functions: LossFunctions, progress: TrainProgress, plan: TrainPlan) -> None:
        self.metric_names = list(functions.metrics)
        self.progress = progress
        self.plan = plan
        self.rows: list[Tensor] = []
        self.tokens = 0
        self.begin = time.monotonic()

    def add(self, row: Tensor, tokens: int) -> None:
        self.rows.append(row)
        self.tokens += tokens

    def close(self, rate: float, gradient_norm: float) -> None:
        """Add the steps to the progress, report them and begin a new window."""
        rows = torch.stack(self.rows).double()
        tokens = torch.full((len(rows), 1), self.tokens / len(rows), dtype=torch.float64, device=rows.device)
        packed = torch.cat([rows, tokens], dim=1)
        distributed.all_reduce(packed)
        table = packed.tolist()
        now = time.monotonic()
        seconds, self.begin = max(now - self.begin, 1e-9), now
        token_count = round(sum(row[-1] for row in table))
        self.progress.tokens += token_count
        self.progress.seconds += seconds
        self.progress.history += [row[:-1] for row in table]
        self.rows, self.tokens = [], 0
        means = [sum(column) / len(table) for column in zip(*(row[:-1] for row in table), strict=True)]
        if not all(math.isfinite(value) for value in means):
            raise FloatingPointError(f"loss is not finite at step {self.progress.step}: lower train.learning_rate")
        self.plan.report(
            TrainReport(
                step=self.progress.step,
                steps=self.plan.steps,
                loss=means[0],
                learning_rate=rate,
                gradient_norm=gradient_norm,
                tokens_per_second=token_count / seconds,
                seconds=self.progress.seconds,
                metrics=dict(zip(self.metric_names, means[1:], strict=True)),
            )
        )
