"""Tokenised sequences as arrays, in memory and on disk. Knows offsets and shapes; not how text became tokens."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from train.objectives import Kind

Integers = NDArray[np.int64]
Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class TokenizedRow:
    """One sequence: ``tokens`` [T] ids, ``targets`` [T], and the ``labels`` of its targets in order, where the kind has
    labels."""

    tokens: list[int]
    targets: list[bool]
    labels: list[tuple[float, ...]] = field(default_factory=list)


def _none() -> Floats:
    return np.zeros(0, dtype=np.float32)


@dataclass(frozen=True, slots=True)
class TokenizedSet:
    """Tokenised sequences, end to end.

    ``tokens`` [T] ids, ``targets`` [T] whether a token is learnt, ``starts`` [sequences + 1] offsets into both.
    ``labels`` [T, C] for kinds with C labels, 0 where nothing is learnt, else empty. ``reference`` [sequences]
    log-probability of the target tokens under the model that training starts from (nats), empty until it is known.
    A *unit* is what is shuffled: one sequence, or the two of a pair (the better one first).
    """

    kind: Kind
    tokens: NDArray[np.int32]
    targets: NDArray[np.bool_]
    starts: Integers
    pad_id: int
    labels: Floats = field(default_factory=_none)
    reference: Floats = field(default_factory=_none)

    def __len__(self) -> int:
        return (len(self.starts) - 1) // self.kind.width

    def rows(self, units: Integers) -> Integers:
        """[units * width] the sequences of ``units``, those of a pair in turn."""
        rows: Integers = (units[:, None] * self.kind.width + np.arange(self.kind.width)).reshape(-1)
        return rows

    def lengths(self) -> Integers:
        """[units] length of each unit's longest sequence (tokens)."""
        longest: Integers = np.diff(self.starts).reshape(-1, self.kind.width).max(axis=1)
        return longest

    def items(self) -> Integers:
        """[units] items of each unit: its target tokens, or 1 for a pair."""
        if self.kind.width == 2:
            return np.ones(len(self), dtype=np.int64)
        sums = np.concatenate(([0], np.cumsum(self.targets)))
        return np.diff(sums[self.starts])

    def save(self, path: Path) -> None:
        """Write to ``path``: complete or absent."""
        arrays = {item.name: np.asarray(getattr(self, item.name)) for item in fields(self)}
        temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
        with temporary.open("wb") as file:
            np.savez(file, allow_pickle=False, **arrays)
        temporary.replace(path)

    @classmethod
    def load(cls, path: Path) -> TokenizedSet:
        with np.load(path) as data:
            arrays = {item.name: data[item.name] for item in fields(cls)}
        return cls(**arrays | {"kind": Kind(str(arrays["kind"])), "pad_id": int(arrays["pad_id"])})


def pack(kind: Kind, rows: Sequence[TokenizedRow], pad_id: int) -> TokenizedSet:
    """Samples of ``rows``. A row of a kind with labels has as many as it has targets."""
    lengths = [len(row.tokens) for row in rows]
    targets = np.fromiter((t for row in rows for t in row.targets), dtype=np.bool_, count=sum(lengths))
    samples = TokenizedSet(
        kind,
        np.fromiter((i for row in rows for i in row.tokens), dtype=np.int32, count=sum(lengths)),
        targets,
        np.concatenate(([0], np.cumsum(lengths, dtype=np.int64))).astype(np.int64),
        pad_id,
        np.zeros((len(targets), kind.labels), dtype=np.float32) if kind.labels else _none(),
    )
    if kind.labels:
        given = [label for row in rows for label in row.labels]
        samples.labels[targets] = np.array(given, dtype=np.float32).reshape(-1, kind.labels)
    return samples
