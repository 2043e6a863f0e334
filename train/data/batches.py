"""Plan the batches of an epoch, and make padded batches of samples."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from train.data.tokenized import Integers, TokenizedSet
from train.objectives import SampleKind
from train.objectives.base import Targets

PAD_MULTIPLE = 16  # sequences are padded to multiples of this many tokens
BUCKET_BATCHES = 16  # batches' worth of samples that are sorted by length together


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanConfig:
    """Settings that the order of batches depends on."""

    batch_size: int
    micro_batch_tokens: int
    world_size: int
    seed: int


MicroPlan = tuple[Integers, ...]  # the units of each rank; a rank may have none


def steps_per_epoch(units: int, batch_size: int) -> int:
    return -(-units // batch_size)


def plan_epoch(samples: TokenizedSet, config: PlanConfig, epoch: int) -> list[list[MicroPlan]]:
    """Return the epoch's optimizer steps, each a list of micro-steps, each the units of every rank.

    Every unit occurs exactly once. Which units form a step depends on seed and epoch alone, not on the number of
    workers; within a step every rank gets the same number of micro-steps of about the same length.
    """
    lengths = samples.lengths()
    rng = np.random.default_rng([config.seed & 0x7FFFFFFF, config.seed >> 31, epoch])
    order = rng.permutation(len(samples))
    bucket = config.batch_size * BUCKET_BATCHES
    batches: list[Integers] = []
    for begin in range(0, len(order), bucket):
        part = order[begin : begin + bucket]
        part = part[np.argsort(-lengths[part], kind="stable")]
        batches += [part[i : i + config.batch_size] for i in range(0, len(part), config.batch_size)]
    shuffled = [batches[i] for i in rng.permutation(len(batches))]
    return [_micro_steps(batch, lengths, samples.kind.width, config) for batch in shuffled]


def _micro_steps(batch: Integers, lengths: Integers, width: int, config: PlanConfig) -> list[MicroPlan]:
    """Deal a batch, longest first, to the ranks, and cut it where rank 0 is full: it holds the longest unit of each deal."""
    shares = [batch[rank :: config.world_size] for rank in range(config.world_size)]
    cuts = [0]
    for index in range(1, len(shares[0])):
        padded = _pad_length(int(lengths[shares[0][cuts[-1]]])) * width
        if padded * (index + 1 - cuts[-1]) > config.micro_batch_tokens:
            cuts.append(index)
    cuts.append(len(shares[0]))
    return [tuple(share[a:b] for share in shares) for a, b in pairwise(cuts)]


def _pad_length(length: int) -> int:
    return -(-length // PAD_MULTIPLE) * PAD_MULTIPLE


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """One forward pass of one rank.

    Attributes:
        input_ids: [S, L], right-padded.
        positions: [N] indices into the flattened [S * L] hidden states at which the head is read.
        targets: what these N outputs are compared with.
        weights: [items], one an item; they sum to 1 over a whole step.
        tokens: number of tokens without padding.
    """

    input_ids: torch.Tensor
    positions: torch.Tensor
    targets: Targets
    weights: torch.Tensor
    tokens: int

    def to(self, device: torch.device) -> Batch:
        if device.type == "cpu":
            return self
        return Batch(
            input_ids=self.input_ids.to(device, non_blocking=True),
            positions=self.positions.to(device, non_blocking=True),
            targets=self.targets.to(device),
            weights=self.weights.to(device, non_blocking=True),
            tokens=self.tokens,
        )


def collate(samples: TokenizedSet, units: Integers, items: float) -> Batch:
    """Make the batch of ``units``. ``items``: number of items of the whole step, or their total weight, over all ranks.

    A rank without units still has to take part in the collectives: it gets the first unit with weight 0.
    """
    weight = 1.0 / items if len(units) else 0.0
    if not len(units):
        units = np.zeros(1, dtype=np.int64)
    rows = samples.rows(units)
    begins, lengths = samples.starts[rows], np.diff(samples.starts)[rows]
    longest = _pad_length(int(lengths.max()))
    input_ids = np.full((len(rows), longest), samples.pad_id, dtype=np.int64)
    index = np.full((len(rows), longest), -1, dtype=np.int64)  # of the target tokens, in ``samples``
    for row, (begin, length) in enumerate(zip(begins, lengths, strict=True)):
        end = begin + length
        input_ids[row, :length] = samples.tokens[begin:end]
        index[row, :length] = np.where(samples.targets[begin:end], np.arange(begin, end), -1)
    positions, position_rows, labels = _head_positions(samples, input_ids, index.reshape(-1), lengths)
    reference = samples.reference[rows] if len(samples.reference) else samples.reference
    weights = torch.full((len(units) if samples.kind.width == 2 else len(positions),), weight, dtype=torch.float32)
    if len(samples.unit_weights):
        weights *= torch.from_numpy(samples.unit_weights[units])
    return Batch(
        input_ids=torch.from_numpy(input_ids),
        positions=torch.from_numpy(positions),
        targets=Targets(
            labels=torch.from_numpy(labels),
            rows=torch.from_numpy(position_rows),
            reference=torch.from_numpy(reference),
            sequences=len(rows),
        ),
        weights=weights,
        tokens=int(lengths.sum()) if weight else 0,
    )


def _head_positions(
    samples: TokenizedSet, input_ids: Integers, index: Integers, lengths: Integers
) -> tuple[Integers, Integers, NDArray[Any]]:
    """Return the positions [N] at which the head is read, the row [N] of each, and the labels of its outputs.

    A pair of states is read at the last token of each. A token to predict is read one position before it, a token to
    score at its own. ``index`` [S * L]: where a target token lies in ``samples``, -1 for all others.
    """
    longest = input_ids.shape[1]
    if samples.kind is SampleKind.PAIRS:
        rows = np.arange(len(lengths), dtype=np.int64)
        return rows * longest + lengths - 1, rows, np.zeros(0, dtype=np.int64)
    targets = np.flatnonzero(index >= 0)
    if samples.kind.labels:
        return targets, targets // longest, samples.labels[index[targets]]
    return targets - 1, targets // longest, input_ids.reshape(-1)[targets]


def step_batches(
    samples: TokenizedSet, config: PlanConfig, rank: int, first_step: int, epochs: int
) -> Iterator[list[Batch]]:
    """Yield the optimizer steps from ``first_step`` on, each as this rank's micro-batches, in the order of a fresh run."""
    per_epoch = steps_per_epoch(len(samples), config.batch_size)
    weights = samples.loss_weights()
    for epoch in range(first_step // per_epoch, epochs):
        skip = max(0, first_step - epoch * per_epoch)
        for step in plan_epoch(samples, config, epoch)[skip:]:
            total = float(sum(weights[units].sum() for micro in step for units in micro))
            yield [collate(samples, micro[rank], total) for micro in step]
