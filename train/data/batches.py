"""Make batches of samples: padded rows of one sequence each, or rows of trees (train/data/prefix_tree.py)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from train.data.plan import Packing, PlanConfig, by_problem, pad_length, plan_epoch, steps_per_epoch
from train.data.prefix_tree import PrefixTree, merge
from train.data.tokenized import Integers, TokenizedSet
from train.objectives import SampleKind
from train.objectives.base import Targets


@dataclass(frozen=True, slots=True, kw_only=True)
class TreeRows:
    """Where the tokens of rows of prefix trees (train/data/prefix_tree.py) stand in their sequences.

    Attributes:
        depths: [R, L] position of each token in its sequences; 0 for padding.
        ends: [R, L] index in its row of the last token below each token; its own index for padding.
    """

    depths: torch.Tensor
    ends: torch.Tensor

    def to(self, device: torch.device) -> TreeRows:
        """Return the same on ``device``."""
        return TreeRows(depths=self.depths.to(device, non_blocking=True), ends=self.ends.to(device, non_blocking=True))


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """One forward pass of one rank, over S sequences in R rows.

    Attributes:
        input_ids: [R, L], right-padded. Without trees R is S, and each row is a sequence.
        positions: [N] indices into the flattened [R * L] hidden states at which the head is read; with trees one may come
            more than once.
        targets: what these N outputs are compared with.
        weights: [items], one an item; they sum to 1 over a whole step.
        tokens: number of tokens of the sequences, without padding.
        trees: how the rows are to be read where they hold trees.
    """

    input_ids: torch.Tensor
    positions: torch.Tensor
    targets: Targets
    weights: torch.Tensor
    tokens: int
    trees: TreeRows | None = None

    def to(self, device: torch.device) -> Batch:
        if device.type == "cpu":
            return self
        return Batch(
            input_ids=self.input_ids.to(device, non_blocking=True),
            positions=self.positions.to(device, non_blocking=True),
            targets=self.targets.to(device),
            weights=self.weights.to(device, non_blocking=True),
            tokens=self.tokens,
            trees=self.trees.to(device) if self.trees else None,
        )


Rows = tuple[Integers, TreeRows | None, list[Integers]]  # ids [R, L], trees, and the places of each sequence's tokens


def collate(samples: TokenizedSet, units: Integers, items: float, packing: Packing = "none") -> Batch:
    """Make the batch of ``units``. ``items``: number of items of the whole step, or their total weight, over all ranks.

    A rank without units still has to take part in the collectives: it gets the first unit with weight 0.
    """
    weight = 1.0 / items if len(units) else 0.0
    if not len(units):
        units = np.zeros(1, dtype=np.int64)
    in_rows = (_tree_rows if packing == "tree" else _padded_rows)(samples, units)
    return make_batch(samples, units, in_rows, weight)


def make_batch(samples: TokenizedSet, units: Integers, in_rows: Rows, weight: float) -> Batch:
    """Return the batch of ``units`` whose sequences stand as ``in_rows`` says; each of its items has the ``weight``."""
    rows = samples.rows(units)
    input_ids, trees, places = in_rows
    positions, position_rows, labels = _head_positions(samples, rows, places)
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
        tokens=int(np.diff(samples.starts)[rows].sum()) if weight else 0,
        trees=trees,
    )


def _padded_rows(samples: TokenizedSet, units: Integers) -> Rows:
    """Return rows of one sequence each, padded to the longest."""
    sequences = [samples.sequence(row) for row in samples.rows(units)]
    longest = pad_length(max(map(len, sequences)))
    input_ids = np.full((len(sequences), longest), samples.pad_id, dtype=np.int64)
    for row, sequence in enumerate(sequences):
        input_ids[row, : len(sequence)] = sequence
    return input_ids, None, [row * longest + np.arange(len(sequence)) for row, sequence in enumerate(sequences)]


def _tree_rows(samples: TokenizedSet, units: Integers) -> Rows:
    """Return rows of trees, one tree a problem."""
    groups = list(by_problem(samples, units))
    trees = [merge([samples.sequence(row) for row in samples.rows(group)]) for group in groups]
    input_ids, in_rows, begins = fill_rows(trees, max(map(len, trees)), samples.pad_id)
    places: dict[int, Integers] = {}
    for group, tree, begin in zip(groups, trees, begins, strict=True):
        for row, path in zip(samples.rows(group), tree.paths, strict=True):
            places[int(row)] = begin + path
    return input_ids, in_rows, [places[int(row)] for row in samples.rows(units)]


def fill_rows(trees: Sequence[PrefixTree], room: int, pad_id: int) -> tuple[Integers, TreeRows, list[int]]:
    """Return rows of at least ``room`` tokens that hold ``trees``, and where each begins in the flattened rows.

    The largest tree comes first, and each stands in the first row that has room for it.
    """
    width = pad_length(room)
    begins, rows = _first_fit(trees, width)
    input_ids, depths = np.full((rows, width), pad_id, dtype=np.int64), np.zeros((rows, width), dtype=np.int64)
    ends = np.tile(np.arange(width, dtype=np.int64), (rows, 1))
    for tree, (row, begin) in zip(trees, begins, strict=True):
        span = slice(begin, begin + len(tree))
        input_ids[row, span], depths[row, span], ends[row, span] = tree.tokens, tree.depths, tree.ends + begin
    in_rows = TreeRows(depths=torch.from_numpy(depths), ends=torch.from_numpy(ends))
    return input_ids, in_rows, [row * width + begin for row, begin in begins]


def _first_fit(trees: Sequence[PrefixTree], room: int) -> tuple[list[tuple[int, int]], int]:
    """Return for each tree its row and where it begins there, and the number of rows."""
    begins, fills = [(0, 0)] * len(trees), list[int]()
    for index in sorted(range(len(trees)), key=lambda i: -len(trees[i])):
        size = len(trees[index])
        row = next((row for row, fill in enumerate(fills) if fill + size <= room), len(fills))
        if row == len(fills):
            fills.append(0)
        begins[index] = (row, fills[row])
        fills[row] += size
    return begins, len(fills)


def _head_positions(
    samples: TokenizedSet, rows: Integers, places: Sequence[Integers]
) -> tuple[Integers, Integers, NDArray[Any]]:
    """Return the positions [N] at which the head is read, the sequence [N] of each, and the labels of its outputs.

    A pair of states is read at the last token of each. A token to predict is read one position before it, a token to
    score at its own. ``places``: of each sequence where its tokens stand in the flattened rows.
    """
    if samples.kind is SampleKind.PAIRS:
        last = np.array([place[-1] for place in places], dtype=np.int64)
        return last, np.arange(len(rows), dtype=np.int64), np.zeros(0, dtype=np.int64)
    before = 0 if samples.kind.labels else 1
    positions, sequences, indices = list[Integers](), list[Integers](), list[Integers]()
    for number, (row, place) in enumerate(zip(rows, places, strict=True)):
        targets = np.flatnonzero(samples.targets[samples.starts[row] : samples.starts[row + 1]])
        positions.append(place[targets - before])
        sequences.append(np.full(len(targets), number, dtype=np.int64))
        indices.append(samples.starts[row] + targets)
    index = np.concatenate(indices)
    labels = samples.labels[index] if samples.kind.labels else samples.tokens[index].astype(np.int64)
    return np.concatenate(positions), np.concatenate(sequences), labels


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
            yield [collate(samples, micro[rank], total, config.packing) for micro in step]
