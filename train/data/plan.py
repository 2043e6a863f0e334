"""Plan an epoch: which units form an optimizer step, and which of them each worker computes together.

Without packing, units of about the same length come together, and little is padded. With ``packing: tree`` units of the
same problem come together, those with the longest common beginnings first of all, and what they share is computed once.
Either way the units of a step depend on seed and epoch alone, not on the number of workers.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np

from train.data.prefix_tree import in_order, merged_length
from train.data.tokenized import Integers, TokenizedSet

PAD_MULTIPLE = 16  # sequences are padded to multiples of this many tokens
BUCKET_BATCHES = 16  # batches' worth of samples that are sorted by length together
PROBLEMS_A_STEP = 4  # with trees a step has units of so many problems at least

Packing = Literal["tree", "none"]
MicroPlan = tuple[Integers, ...]  # the units of each rank; a rank may have none


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanConfig:
    """Settings that the order of batches depends on."""

    batch_size: int
    micro_batch_tokens: int
    world_size: int
    seed: int
    packing: Packing = "none"


def steps_per_epoch(units: int, batch_size: int) -> int:
    """Return the number of optimizer steps of an epoch; the last one may have fewer units."""
    return -(-units // batch_size)


def pad_length(length: int) -> int:
    """Return the length that a row is padded to."""
    return -(-length // PAD_MULTIPLE) * PAD_MULTIPLE


def plan_epoch(samples: TokenizedSet, config: PlanConfig, epoch: int) -> list[list[MicroPlan]]:
    """Return the epoch's optimizer steps, each a list of micro-steps, each the units of every rank.

    Every unit occurs exactly once. Within a step every rank gets the same number of micro-steps.
    """
    rng = _rng(config, epoch)
    if config.packing == "tree":
        return [_tree_micro_steps(samples, step, config) for step in _steps_by_problem(samples, config, rng)]
    lengths = samples.lengths()
    steps = _steps_by_length(samples, lengths, config, rng)
    return [_micro_steps(step, lengths, samples.kind.width, config) for step in steps]


def _rng(config: PlanConfig, epoch: int) -> np.random.Generator:
    return np.random.default_rng([config.seed & 0x7FFFFFFF, config.seed >> 31, epoch])


def _steps_by_length(
    samples: TokenizedSet, lengths: Integers, config: PlanConfig, rng: np.random.Generator
) -> list[Integers]:
    """Sort shuffled units by length within buckets of ``BUCKET_BATCHES`` steps, cut them into steps, and shuffle these."""
    order = rng.permutation(len(samples))
    bucket = config.batch_size * BUCKET_BATCHES
    batches: list[Integers] = []
    for begin in range(0, len(order), bucket):
        part = order[begin : begin + bucket]
        part = part[np.argsort(-lengths[part], kind="stable")]
        batches += [part[i : i + config.batch_size] for i in range(0, len(part), config.batch_size)]
    return [batches[i] for i in rng.permutation(len(batches))]


def _micro_steps(batch: Integers, lengths: Integers, width: int, config: PlanConfig) -> list[MicroPlan]:
    """Deal a batch, longest first, to the ranks, and cut it where rank 0 is full: it holds the longest unit of each deal."""
    shares = [batch[rank :: config.world_size] for rank in range(config.world_size)]
    cuts = [0]
    for index in range(1, len(shares[0])):
        padded = pad_length(int(lengths[shares[0][cuts[-1]]])) * width
        if padded * (index + 1 - cuts[-1]) > config.micro_batch_tokens:
            cuts.append(index)
    cuts.append(len(shares[0]))
    return [tuple(share[a:b] for share in shares) for a, b in pairwise(cuts)]


def _steps_by_problem(samples: TokenizedSet, config: PlanConfig, rng: np.random.Generator) -> list[Integers]:
    """Cut each problem's units, neighbours in lexicographic order, into chunks; shuffle these; cut them into steps."""
    most = max(1, config.batch_size // PROBLEMS_A_STEP)
    chunks: list[Integers] = []
    for units in by_problem(samples, np.arange(len(samples))):
        first = [samples.sequence(row) for row in samples.rows(units)[:: samples.kind.width]]
        ordered = units[in_order(first)]
        chunks += [ordered[i : i + most] for i in range(0, len(ordered), most)]
    shuffled = np.concatenate([chunks[i] for i in rng.permutation(len(chunks))])
    return [shuffled[i : i + config.batch_size] for i in range(0, len(shuffled), config.batch_size)]


def by_problem(samples: TokenizedSet, units: Integers) -> Iterator[Integers]:
    """Yield the units of each problem, in the order in which the problems first occur in ``units``."""
    if not len(samples.problems):
        yield from units[:, None]
        return
    numbers = samples.problems[units]
    _, first = np.unique(numbers, return_index=True)
    for number in numbers[np.sort(first)]:
        yield units[numbers == number]


def tree_length(samples: TokenizedSet, units: Integers) -> int:
    """Return the number of tokens of the tree of some units."""
    return merged_length([samples.sequence(row) for row in samples.rows(units)])


def longest_row(samples: TokenizedSet, config: PlanConfig) -> int:
    """Return the length of the longest row of the first epoch (tokens, without padding)."""
    if config.packing == "none":
        return int(samples.lengths().max())
    steps = _steps_by_problem(samples, config, _rng(config, 0))
    return max(size for step in steps for _, size in _trees(samples, step, config))


def _trees(samples: TokenizedSet, step: Integers, config: PlanConfig) -> Iterator[tuple[Integers, int]]:
    """Yield the units of each tree of a step, and the tree's tokens: of a problem, or of a part that fits a micro-batch."""
    for units in by_problem(samples, step):
        yield from _fitting(samples, units, config)


def _tree_micro_steps(samples: TokenizedSet, step: Integers, config: PlanConfig) -> list[MicroPlan]:
    """Deal a step's trees to the ranks, the largest first and each to the rank with the least, then fill micro-steps."""
    shares: list[list[list[Integers]]] = [[] for _ in range(config.world_size)]
    totals, rooms = [0] * config.world_size, [0] * config.world_size
    for units, size in sorted(_trees(samples, step, config), key=lambda tree: -tree[1]):
        rank = totals.index(min(totals))
        totals[rank] += size
        if not shares[rank] or rooms[rank] < size:
            shares[rank].append([])
            rooms[rank] = config.micro_batch_tokens
        shares[rank][-1].append(units)
        rooms[rank] -= size
    nothing = np.zeros(0, dtype=np.int64)
    longest = max(map(len, shares))
    return [
        tuple(np.concatenate(share[micro]) if micro < len(share) else nothing for share in shares)
        for micro in range(longest)
    ]


def _fitting(samples: TokenizedSet, units: Integers, config: PlanConfig) -> Iterator[tuple[Integers, int]]:
    """Yield a problem's units in one piece, or in halves of halves until each fits into a micro-batch, with its tokens."""
    size = tree_length(samples, units)
    if len(units) == 1 or size <= config.micro_batch_tokens:
        yield units, size
        return
    middle = len(units) // 2
    yield from _fitting(samples, units[:middle], config)
    yield from _fitting(samples, units[middle:], config)
