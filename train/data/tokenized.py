"""Tokenised sequences as arrays, in memory and on disk."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from search.storage.files import atomic_file
from train.objectives import SampleKind

Integers = NDArray[np.int64]
Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class TokenizedRow:
    """One sequence: ``tokens`` [T] ids, ``targets`` [T], and the ``labels`` of its targets in order, if the kind has any."""

    tokens: list[int]
    targets: list[bool]
    labels: list[tuple[float, ...]] = field(default_factory=list)


def _no_floats() -> Floats:
    return np.zeros(0, dtype=np.float32)


def _no_integers() -> Integers:
    return np.zeros(0, dtype=np.int64)


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenizedSet:
    """Tokenised sequences, end to end. A *unit* is what is shuffled: one sequence, or a pair, the preferred side first.

    Attributes:
        tokens: [T] ids.
        targets: [T] whether the token is learnt.
        starts: [sequences + 1] offsets into both.
        labels: [T, C] for kinds with C labels, 0 where nothing is learnt; else empty.
        reference: [sequences] log-probability of the target tokens under the model that training starts from (nats);
            empty until it is known.
        unit_weights: [units] of pairs in the mean of their losses; empty if all are 1.
        problems: [units] number of the problem that each unit is of; empty: each is of another.
    """

    kind: SampleKind
    tokens: NDArray[np.int32]
    targets: NDArray[np.bool_]
    starts: Integers
    pad_id: int
    labels: Floats = field(default_factory=_no_floats)
    reference: Floats = field(default_factory=_no_floats)
    unit_weights: Floats = field(default_factory=_no_floats)
    problems: Integers = field(default_factory=_no_integers)

    def __len__(self) -> int:
        return (len(self.starts) - 1) // self.kind.width

    def rows(self, units: Integers) -> Integers:
        """Return the sequences of ``units``, [units * width], those of a pair in turn."""
        rows: Integers = (units[:, None] * self.kind.width + np.arange(self.kind.width)).reshape(-1)
        return rows

    def sequence(self, row: int) -> NDArray[np.int32]:
        """Return the tokens of one sequence."""
        return self.tokens[self.starts[row] : self.starts[row + 1]]

    def lengths(self) -> Integers:
        """Return the length of each unit's longest sequence, [units] (tokens)."""
        longest: Integers = np.diff(self.starts).reshape(-1, self.kind.width).max(axis=1)
        return longest

    def items(self) -> Integers:
        """Return the number of items of each unit, [units]: its target tokens, or 1 for a pair."""
        if self.kind.width == 2:
            return np.ones(len(self), dtype=np.int64)
        sums = np.concatenate(([0], np.cumsum(self.targets)))
        return np.diff(sums[self.starts])

    def loss_weights(self) -> Floats | Integers:
        """Return the weight of each unit in the mean over items, [units]: the number of its items, or that of the pair."""
        return self.unit_weights if len(self.unit_weights) else self.items()

    def save(self, path: Path) -> None:
        """Write to ``path``, complete or absent."""
        arrays = {item.name: np.asarray(getattr(self, item.name)) for item in fields(self)}
        with atomic_file(path) as temporary, temporary.open("wb") as file:
            np.savez(file, allow_pickle=False, **arrays)

    @classmethod
    def load(cls, path: Path) -> TokenizedSet:
        with np.load(path) as data:
            arrays = {item.name: data[item.name] for item in fields(cls)}
        return cls(**arrays | {"kind": SampleKind(str(arrays["kind"])), "pad_id": int(arrays["pad_id"])})


def pack(
    kind: SampleKind,
    rows: Sequence[TokenizedRow],
    pad_id: int,
    problems: Sequence[str] = (),
    unit_weights: Sequence[float] = (),
) -> TokenizedSet:
    """Pack ``rows`` end to end. A row of a kind with labels has as many labels as targets.

    ``problems``: the id of the problem of each unit; empty: each is of another. ``unit_weights``: one a pair; empty, or
    all 1, for pairs that weigh the same.
    """
    numbers = {problem: number for number, problem in enumerate(dict.fromkeys(problems))}
    lengths = [len(row.tokens) for row in rows]
    targets = np.fromiter((t for row in rows for t in row.targets), dtype=np.bool_, count=sum(lengths))
    samples = TokenizedSet(
        kind=kind,
        tokens=np.fromiter((i for row in rows for i in row.tokens), dtype=np.int32, count=sum(lengths)),
        targets=targets,
        starts=np.concatenate(([0], np.cumsum(lengths, dtype=np.int64))).astype(np.int64),
        pad_id=pad_id,
        labels=np.zeros((len(targets), kind.labels), dtype=np.float32) if kind.labels else _no_floats(),
        unit_weights=np.array([] if set(unit_weights) <= {1.0} else unit_weights, dtype=np.float32),
        problems=np.array([numbers[problem] for problem in problems], dtype=np.int64),
    )
    if kind.labels:
        labels = [label for row in rows for label in row.labels]
        samples.labels[targets] = np.array(labels, dtype=np.float32).reshape(-1, kind.labels)
    return samples
