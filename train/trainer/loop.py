"""The one training loop. Knows an engine and batches; nothing of objectives' meaning, models, Ray or files.

    batches of this rank ──> forward ──> read ──> loss an item ──> weighted sum ──> backward      each micro-batch
                                                                                       │
    learning rate of the step ──> optimizer step <── gradient, reduced over ranks ─────┘      each step
                                        │
              every log_every steps ────┼──> metrics, reduced over ranks ──> report      rank 0 shows them
              every save_every steps ───┴──> save(progress)                              a barrier for all ranks

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
from train.objectives import Objective, Options
from train.trainer.job import TrainProgress, TrainReport


@dataclass(frozen=True, slots=True)
class Plan:
    """How long a run is and what is called along the way. ``save_every`` 0 never saves."""

    steps: int
    save_every: int
    seed: int
    save: Callable[[TrainProgress], None]
    report: Callable[[TrainReport], None]


def learning_rate(step: int, steps: int, config: TrainConfig) -> float:
    """Learning rate of the optimizer step ``step`` (from 0) of ``steps``: linear warm-up, then the schedule."""
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
    objective: Objective,
    config: TrainConfig,
    plan: Plan,
    progress: TrainProgress,
) -> TrainProgress:
    """Run the optimizer steps that are left; returns the progress at the end.

    Consumes one list of micro-batches a step, equally long on every rank. Raises FloatingPointError once a loss is
    not finite (noticed at the next report).
    """
    window = _Window(objective, progress, plan)
    options = Options(config.squash_in_loss, config.dpo_beta, config.nll_weight)
    engine.train()
    for step, micro_batches in enumerate(batches, progress.step):
        rate = learning_rate(step, plan.steps, config)
        for group in engine.optimizer.param_groups:
            group["lr"] = rate
        if config.head_dropout:
            torch.manual_seed(derive(plan.seed, "dropout", step, distributed.get_rank()))
        row = _step(engine, micro_batches, objective, options)
        progress.step = step + 1
        window.add(row, sum(batch.tokens for batch in micro_batches))
        saving = bool(plan.save_every) and progress.step % plan.save_every == 0 and progress.step < plan.steps
        if saving or progress.step in (1, plan.steps) or progress.step % config.log_every == 0:
            window.close(rate, float(engine.get_global_grad_norm() or 0.0))
        if saving:
            plan.save(progress)
    return progress


def _step(engine: Any, micro_batches: list[Batch], objective: Objective, options: Options) -> Tensor:
    """One optimizer step; returns this rank's share of loss and metrics, [1 + metrics], still on the device."""
    shares = []
    world = distributed.get_world_size()
    for index, batch in enumerate(micro_batches):
        engine.set_gradient_accumulation_boundary(index == len(micro_batches) - 1)
        batch = batch.to(engine.device)
        outputs = objective.read(engine(batch.input_ids, batch.positions), batch.targets)
        loss = (objective.loss(outputs, batch.targets, options) * batch.weights).sum()
        engine.backward(loss * world)
        with torch.no_grad():
            metrics = (function(outputs, batch.targets, options) for function in objective.metrics.values())
            shares.append(torch.stack([loss.detach(), *((values * batch.weights).sum() for values in metrics)]))
    engine.step()
    return torch.stack(shares).sum(0)


class _Window:
    """The steps since the last report: their shares are summed over ranks in one go when the window closes."""

    def __init__(self, objective: Objective, progress: TrainProgress, plan: Plan) -> None:
        self.names = list(objective.metrics)
        self.progress = progress
        self.plan = plan
        self.rows: list[Tensor] = []
        self.tokens = 0
        self.begin = time.monotonic()

    def add(self, row: Tensor, tokens: int) -> None:
        self.rows.append(row)
        self.tokens += tokens

    def close(self, rate: float, norm: float) -> None:
        rows = torch.stack(self.rows).double()
        tokens = torch.full((len(rows), 1), self.tokens / len(rows), dtype=torch.float64, device=rows.device)
        packed = torch.cat([rows, tokens], dim=1)
        distributed.all_reduce(packed)
        table = packed.tolist()
        now = time.monotonic()
        seconds, self.begin = max(now - self.begin, 1e-9), now
        counted = round(sum(row[-1] for row in table))
        self.progress.tokens += counted
        self.progress.seconds += seconds
        self.progress.history += [row[:-1] for row in table]
        self.rows, self.tokens = [], 0
        means = [sum(column) / len(table) for column in zip(*(row[:-1] for row in table), strict=True)]
        if not all(math.isfinite(value) for value in means):
            raise FloatingPointError(f"loss is not finite at step {self.progress.step}: lower train.learning_rate")
        self.plan.report(
            TrainReport(
                self.progress.step,
                self.plan.steps,
                means[0],
                rate,
                norm,
                counted / seconds,
                self.progress.seconds,
                dict(zip(self.names, means[1:], strict=True)),
            )
        )
