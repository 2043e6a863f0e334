"""Merge token sequences with common beginnings into trees, so that a shared prefix is computed once.

A tree stands in one row, its tokens in depth-first order. The tokens below token k are then those right after it, up to
``ends[k]``, so token q comes after token k in some sequence, or is k, if and only if k <= q <= ends[k]. That is the whole
attention mask (train/trainer/tree_attention.py).
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class PrefixTree:
    """Sequences merged into one tree, or into several side by side where they differ from the first token on.

    Attributes:
        tokens: [T] ids, in depth-first order.
        depths: [T] position of each token in the sequences that it belongs to.
        ends: [T] index of the last token below each; its own index at the end of a branch.
        paths: for each sequence the indices of its tokens, [length].
    """

    tokens: Integers
    depths: Integers
    ends: Integers
    paths: tuple[Integers, ...]

    def __len__(self) -> int:
        return len(self.tokens)


def in_order(sequences: Sequence[NDArray[np.int32]]) -> list[int]:
    """Return the indices of sequences in lexicographic order of their tokens: neighbours share the longest beginnings."""
    return sorted(range(len(sequences)), key=lambda index: sequences[index].astype(">u4").tobytes())


def shared_length(first: NDArray[np.int32], second: NDArray[np.int32]) -> int:
    """Return the number of tokens that two sequences begin with alike."""
    length = min(len(first), len(second))
    differing = np.flatnonzero(first[:length] != second[:length])
    return int(differing[0]) if len(differing) else length


def merged_length(sequences: Sequence[NDArray[np.int32]]) -> int:
    """Return the number of tokens of the tree of some sequences."""
    ordered = [sequences[index] for index in in_order(sequences)]
    shared = sum(shared_length(a, b) for a, b in itertools.pairwise(ordered))
    return sum(map(len, ordered)) - shared


def merge(sequences: Sequence[NDArray[np.int32]]) -> PrefixTree:
    """Merge sequences. ``[5, 6, 7]`` and ``[5, 6, 8, 9]`` → tokens 5 6 7 8 9, depths 0 1 2 2 3, ends 4 4 2 4 4."""
    tokens: list[NDArray[np.int32]] = []
    depths: list[Integers] = []
    paths: dict[int, Integers] = {}
    path, previous, size = np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int32), 0
    ends = np.zeros(sum(map(len, sequences)), dtype=np.int64)
    for index in in_order(sequences):
        sequence = sequences[index]
        shared = shared_length(previous, sequence)
        ends[path[shared:]] = size - 1  # the branch that is left ends with the token before this one
        new = np.arange(size, size + len(sequence) - shared, dtype=np.int64)
        tokens.append(sequence[shared:])
        depths.append(np.arange(shared, len(sequence), dtype=np.int64))
        path, previous, size = np.concatenate([path[:shared], new]), sequence, size + len(new)
        paths[index] = path
    ends[path] = size - 1
    return PrefixTree(
        tokens=np.concatenate(tokens).astype(np.int64),
        depths=np.concatenate(depths),
        ends=ends[:size],
        paths=tuple(paths[index] for index in range(len(sequences))),
    )
