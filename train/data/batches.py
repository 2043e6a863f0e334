"""Samples to padded batches: which sequences come together, in which order, and where the head is read. No model, no loss."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from train.data.tokenized import Integers, TokenizedSet
from train.objectives import Kind, Targets

PAD_MULTIPLE = 16  # sequences are padded to multiples of this many tokens
BUCKET_BATCHES = 16  # batches' worth of samples that are sorted by length together


@dataclass(frozen=True, slots=True)
class PlanConfig:
    """What decides the order of batches."""

    batch_size: int
    micro_batch_tokens: int
    world_size: int
    seed: int


MicroPlan = tuple[Integers, ...]  # the units of each rank; a rank may have none


def steps_per_epoch(units: int, batch_size: int) -> int:
    return -(-units // batch_size)


def plan_epoch(samples: TokenizedSet, config: PlanConfig, epoch: int) -> list[list[MicroPlan]]:
    """The epoch's optimizer steps, each a list of micro-steps, each the units of every rank.

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
    """Deal a batch, longest first, to the ranks; rank 0 always holds the longest of a deal, so its cuts suit all."""
    hands = [batch[rank :: config.world_size] for rank in range(config.world_size)]
    cuts = [0]
    for index in range(1, len(hands[0])):
        padded = _padded(int(lengths[hands[0][cuts[-1]]])) * width
        if padded * (index + 1 - cuts[-1]) > config.micro_batch_tokens:
            cuts.append(index)
    cuts.append(len(hands[0]))
    return [tuple(hand[a:b] for hand in hands) for a, b in pairwise(cuts)]


def _padded(length: int) -> int:
    return -(-length // PAD_MULTIPLE) * PAD_MULTIPLE


@dataclass(frozen=True, slots=True)
class Batch:
    """One forward pass of one rank.

    ``input_ids`` [S, L] right-padded; ``positions`` [N] indices into the flattened [S * L] hidden states where the
    head is read; ``targets`` what these N outputs are compared with; ``weights`` one an item, summing to 1 over a whole
    step; ``tokens`` without padding.
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
            self.input_ids.to(device, non_blocking=True),
            self.positions.to(device, non_blocking=True),
            self.targets.to(device),
            self.weights.to(device, non_blocking=True),
            self.tokens,
        )


def collate(samples: TokenizedSet, units: Integers, items: int) -> Batch:
    """The batch of ``units``; ``items`` is the number of items of the whole step, over all ranks.

    A rank without units still has to take part in the collectives: it gets the first unit with weight 0.
    """
    weight = 1.0 / items if len(units) else 0.0
    if not len(units):
        units = np.zeros(1, dtype=np.int64)
    rows = samples.rows(units)
    begins, lengths = samples.starts[rows], np.diff(samples.starts)[rows]
    longest = _padded(int(lengths.max()))
    input_ids = np.full((len(rows), longest), samples.pad_id, dtype=np.int64)
    index = np.full((len(rows), longest), -1, dtype=np.int64)  # of the target tokens, in ``samples``
    for row, (begin, length) in enumerate(zip(begins, lengths, strict=True)):
        end = begin + length
        input_ids[row, :length] = samples.tokens[begin:end]
        index[row, :length] = np.where(samples.targets[begin:end], np.arange(begin, end), -1)
    positions, owners, labels = _read_at(samples, input_ids, index.reshape(-1), lengths)
    reference = samples.reference[rows] if len(samples.reference) else samples.reference
    return Batch(
        torch.from_numpy(input_ids),
        torch.from_numpy(positions),
        Targets(torch.from_numpy(labels), torch.from_numpy(owners), torch.from_numpy(reference), len(rows)),
        torch.full((len(units) if samples.kind.width == 2 else len(positions),), weight, dtype=torch.float32),
        int(lengths.sum()) if weight else 0,
    )


def _read_at(
    samples: TokenizedSet, input_ids: Integers, index: Integers, lengths: Integers
) -> tuple[Integers, Integers, NDArray[Any]]:
    """Positions [N] where the head is read, the row [N] of each, and the labels of what it gives.

    A pair of states is read at the last token of each. A token that is predicted is read one before it stands; a token
    that is judged, where it stands. ``index`` [S * L] where a target token lies in ``samples``, -1 for all others.
    """
    longest = input_ids.shape[1]
    if samples.kind is Kind.PAIRS:
        rows = np.arange(len(lengths), dtype=np.int64)
        return rows * longest + lengths - 1, rows, np.zeros(0, dtype=np.int64)
    learnt = np.flatnonzero(index >= 0)
    if samples.kind.labels:
        return learnt, learnt // longest, samples.labels[index[learnt]]
    return learnt - 1, learnt // longest, input_ids.reshape(-1)[learnt]


def step_batches(
    samples: TokenizedSet, config: PlanConfig, rank: int, first_step: int, epochs: int
) -> Iterator[list[Batch]]:
    """Optimizer steps from ``first_step`` on, each as this rank's micro-batches, in the order of a fresh run."""
    per_epoch = steps_per_epoch(len(samples), config.batch_size)
    items = samples.items()
    for epoch in range(first_step // per_epoch, epochs):
        skip = max(0, first_step - epoch * per_epoch)
        for step in plan_epoch(samples, config, epoch)[skip:]:
            total = int(sum(items[units].sum() for micro in step for units in micro))
            yield [collate(samples, micro[rank], total) for micro in step]
