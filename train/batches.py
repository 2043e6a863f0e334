"""Records to token ids, and token ids to padded batches. Knows which tokens are learnt; no model and no loss.

Every segment of a state is tokenised by itself and the ids are concatenated, as the policy and the scorer do, so the
position of a step's last token never depends on what follows it. Targets are the tokens that the model wrote, and the
end-of-sequence token after a step that carries an answer; what the prompt or the world wrote is context only.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from search.formats import Source, StepFormat
from search.types import PreferencePair, State, Trajectory
from train.objectives import Kind

PAD_MULTIPLE = 16  # sequences are padded to multiples of this many tokens
BUCKET_BATCHES = 16  # batches' worth of samples that are sorted by length together

Tokenise = Callable[[list[str]], list[list[int]]]
Integers = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Samples:
    """Tokenised sequences, end to end.

    ``tokens`` [T] ids, ``targets`` [T] whether a token is learnt, ``starts`` [sequences + 1] offsets into both.
    A *unit* is what is shuffled: one sequence, or the two of a pair (preferred, then rejected).
    """

    kind: Kind
    tokens: NDArray[np.int32]
    targets: NDArray[np.bool_]
    starts: Integers
    pad_id: int

    @property
    def width(self) -> int:
        """Sequences a unit."""
        return 2 if self.kind is Kind.PAIRS else 1

    def __len__(self) -> int:
        return (len(self.starts) - 1) // self.width

    def lengths(self) -> Integers:
        """[units] length of each unit's longest sequence (tokens)."""
        longest: Integers = np.diff(self.starts).reshape(-1, self.width).max(axis=1)
        return longest

    def items(self) -> Integers:
        """[units] items of each unit: its target tokens, or 1 for a pair."""
        if self.kind is Kind.PAIRS:
            return np.ones(len(self), dtype=np.int64)
        sums = np.concatenate(([0], np.cumsum(self.targets)))
        return np.diff(sums[self.starts])

    def save(self, path: Path) -> None:
        """Write to ``path``: complete or absent."""
        temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
        with temporary.open("wb") as file:
            np.savez(
                file,
                kind=np.array(self.kind.value),
                tokens=self.tokens,
                targets=self.targets,
                starts=self.starts,
                pad_id=np.array(self.pad_id),
            )
        temporary.replace(path)

    @classmethod
    def load(cls, path: Path) -> Samples:
        with np.load(path) as data:
            return cls(Kind(str(data["kind"])), data["tokens"], data["targets"], data["starts"], int(data["pad_id"]))


@dataclass(slots=True)
class Encoder:
    """Tokenises states segment by segment; equal segments are tokenised once."""

    tokenise: Tokenise
    format: StepFormat
    eos_id: int
    cache: dict[str, list[int]] = field(default_factory=dict)

    def learn(self, states: Sequence[State]) -> None:
        """Tokenise all segments of ``states`` in one go."""
        texts = {segment.text for state in states for segment in self.format.segments(state)} - self.cache.keys()
        unique = sorted(texts)
        if unique:
            self.cache.update(zip(unique, self.tokenise(unique), strict=True))

    def encode(self, state: State, end: bool) -> tuple[list[int], list[bool]]:
        """Token ids and targets of a state; with ``end``, the end-of-sequence token follows an answer."""
        tokens: list[int] = []
        targets: list[bool] = []
        for segment in self.format.segments(state):
            ids = self.cache[segment.text]
            tokens.extend(ids)
            targets.extend([segment.source is Source.MODEL] * len(ids))
        if end and state.steps and state.steps[-1].answer is not None:
            tokens.append(self.eos_id)
            targets.append(True)
        return tokens, targets


def encode_trajectories(
    records: Sequence[Trajectory], encoder: Encoder, max_length: int, pad_id: int
) -> tuple[Samples, dict[str, int]]:
    """Sequences to imitate, and how many records were left out by reason (too_long, nothing_to_learn)."""
    states = [State(record.problem, record.steps) for record in records]
    encoder.learn(states)
    kept: list[tuple[list[int], list[bool]]] = []
    dropped = {"too_long": 0, "nothing_to_learn": 0}
    for state in states:
        tokens, targets = encoder.encode(state, end=True)
        if len(tokens) > max_length:
            dropped["too_long"] += 1
        elif not any(targets[1:]):
            dropped["nothing_to_learn"] += 1
        else:
            kept.append((tokens, [False, *targets[1:]]))
    return _pack(Kind.TOKENS, kept, pad_id), dropped


def encode_pairs(
    records: Sequence[PreferencePair], encoder: Encoder, max_length: int, pad_id: int
) -> tuple[Samples, dict[str, int]]:
    """Preferred and rejected sequences in turn, as a scorer would see them (no end-of-sequence token).

    Left out and counted: pairs with a side over ``max_length`` (too_long) and pairs of equal sides (same_text).
    """
    sides = [
        (State(record.problem, record.prefix + record.chosen), State(record.problem, record.prefix + record.rejected))
        for record in records
    ]
    encoder.learn([state for pair in sides for state in pair])
    kept: list[tuple[list[int], list[bool]]] = []
    dropped = {"too_long": 0, "same_text": 0}
    for chosen, rejected in sides:
        pair = (encoder.encode(chosen, end=False), encoder.encode(rejected, end=False))
        if max(len(tokens) for tokens, _ in pair) > max_length:
            dropped["too_long"] += 1
        elif pair[0][0] == pair[1][0]:
            dropped["same_text"] += 1
        else:
            kept.extend(pair)
    return _pack(Kind.PAIRS, kept, pad_id), dropped


def _pack(kind: Kind, sequences: list[tuple[list[int], list[bool]]], pad_id: int) -> Samples:
    lengths = [len(tokens) for tokens, _ in sequences]
    return Samples(
        kind,
        np.fromiter((i for tokens, _ in sequences for i in tokens), dtype=np.int32, count=sum(lengths)),
        np.fromiter((t for _, targets in sequences for t in targets), dtype=np.bool_, count=sum(lengths)),
        np.concatenate(([0], np.cumsum(lengths, dtype=np.int64))).astype(np.int64),
        pad_id,
    )


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


def plan_epoch(samples: Samples, config: PlanConfig, epoch: int) -> list[list[MicroPlan]]:
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
    return [_micro_steps(batch, lengths, samples.width, config) for batch in shuffled]


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

    ``input_ids`` [S, L] right-padded; ``positions`` [M] indices into the flattened [S * L] hidden states where the
    head is read; ``labels`` [N] token ids (empty for pairs); ``weights`` [N] one an item, summing to 1 over a whole
    step; ``tokens`` without padding.
    """

    input_ids: torch.Tensor
    positions: torch.Tensor
    labels: torch.Tensor
    weights: torch.Tensor
    tokens: int

    def to(self, device: torch.device) -> Batch:
        if device.type == "cpu":
            return self
        return Batch(
            self.input_ids.to(device, non_blocking=True),
            self.positions.to(device, non_blocking=True),
            self.labels.to(device, non_blocking=True),
            self.weights.to(device, non_blocking=True),
            self.tokens,
        )


def collate(samples: Samples, units: Integers, items: int) -> Batch:
    """The batch of ``units``; ``items`` is the number of items of the whole step, over all ranks.

    A rank without units still has to take part in the collectives: it gets the first unit with weight 0.
    """
    weight = 1.0 / items if len(units) else 0.0
    if not len(units):
        units = np.zeros(1, dtype=np.int64)
    rows = (units[:, None] * samples.width + np.arange(samples.width)).reshape(-1)
    begins, lengths = samples.starts[rows], np.diff(samples.starts)[rows]
    longest = _padded(int(lengths.max()))
    input_ids = np.full((len(rows), longest), samples.pad_id, dtype=np.int64)
    targets = np.zeros((len(rows), longest), dtype=np.bool_)
    for row, (begin, length) in enumerate(zip(begins, lengths, strict=True)):
        input_ids[row, :length] = samples.tokens[begin : begin + length]
        targets[row, :length] = samples.targets[begin : begin + length]
    if samples.kind is Kind.PAIRS:
        positions = np.arange(len(rows)) * longest + lengths - 1
        labels, count = np.zeros(0, dtype=np.int64), len(units)
    else:
        learnt = np.flatnonzero(targets)
        positions, labels, count = learnt - 1, input_ids.reshape(-1)[learnt], len(learnt)
    return Batch(
        torch.from_numpy(input_ids),
        torch.from_numpy(positions),
        torch.from_numpy(labels),
        torch.full((count,), weight, dtype=torch.float32),
        int(lengths.sum()) if weight else 0,
    )


def step_batches(
    samples: Samples, config: PlanConfig, rank: int, first_step: int, epochs: int
) -> Iterator[list[Batch]]:
    """Optimizer steps from ``first_step`` on, each as this rank's micro-batches, in the order of a fresh run."""
    per_epoch = steps_per_epoch(len(samples), config.batch_size)
    items = samples.items()
    for epoch in range(first_step // per_epoch, epochs):
        skip = max(0, first_step - epoch * per_epoch)
        for step in plan_epoch(samples, config, epoch)[skip:]:
            total = int(sum(items[units].sum() for micro in step for units in micro))
            yield [collate(samples, micro[rank], total) for micro in step]
