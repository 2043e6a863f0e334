"""Which tokens are learnt, and in which order and company they come."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import torch

from search.formats import CodeFormat, PlainFormat
from search.types import Outcome, PreferencePair, Problem, Step, StepStatus, Trajectory
from train.batches import (
    Encoder,
    PlanConfig,
    Samples,
    collate,
    encode_pairs,
    encode_trajectories,
    plan_epoch,
    step_batches,
    steps_per_epoch,
)
from train.objectives import Kind

PAD, EOS = 0, 1
PROBLEM = Problem("p", "q", "2", "made up")
OPEN = Step("one ab", outcome=Outcome.OK)
FINAL = Step("ba two", status=StepStatus.FINAL, answer="2")


class Merging:
    """A tokenizer with a token for "abba", which only a text over the boundary of two steps holds."""

    def __init__(self) -> None:
        self.ids: dict[str, int] = {}
        self.calls: list[str] = []

    def __call__(self, texts: list[str]) -> list[list[int]]:
        self.calls += texts
        return [[self.id(piece) for piece in re.findall(r"abba|ab|ba|\w+|\W", text)] for text in texts]

    def id(self, piece: str) -> int:
        return self.ids.setdefault(piece, len(self.ids) + 2)


def encoder() -> tuple[Encoder, Merging]:
    tokenise = Merging()
    return Encoder(tokenise, PlainFormat(), EOS), tokenise


def made_up(lengths: list[int], kind: Kind = Kind.TOKENS) -> Samples:
    starts = np.concatenate(([0], np.cumsum(lengths))).astype(np.int64)
    targets = np.ones(int(starts[-1]), dtype=np.bool_)
    targets[starts[:-1]] = False
    return Samples(kind, np.arange(starts[-1], dtype=np.int32) + 2, targets, starts, PAD)


def test_steps_are_tokenised_by_themselves_and_only_they_are_targets() -> None:
    code, tokenise = encoder()
    samples, dropped = encode_trajectories([Trajectory(PROBLEM, (OPEN, FINAL), True, 1.0)], code, 100, PAD)
    i = tokenise.id
    ours = [i("one"), i(" "), i("ab"), i("ba"), i(" "), i("two"), EOS]
    assert "abba" not in tokenise.ids
    assert samples.tokens[-7:].tolist() == ours
    assert samples.targets.tolist() == [False] * (len(samples.tokens) - 7) + [True] * 7
    assert samples.items().tolist() == [7]
    assert dropped == {"too_long": 0, "nothing_to_learn": 0}


def test_what_the_world_wrote_is_context_only() -> None:
    tokenise = Merging()
    code = Encoder(tokenise, CodeFormat(), EOS)
    steps = (Step("print(2)<end_of_code>", output="printed", outcome=Outcome.OK), FINAL)
    samples, _ = encode_trajectories([Trajectory(PROBLEM, steps, True, 1.0)], code, 1000, PAD)
    printed = samples.tokens.tolist().index(tokenise.ids["printed"])
    assert not samples.targets[printed]
    assert samples.targets[samples.tokens.tolist().index(tokenise.ids["print"])]


def test_no_end_token_without_an_answer_nor_for_a_scorer() -> None:
    code, _ = encoder()
    unfinished, _ = encode_trajectories([Trajectory(PROBLEM, (OPEN,), False, 0.0)], code, 100, PAD)
    assert EOS not in unfinished.tokens
    pairs, _ = encode_pairs([PreferencePair(PROBLEM, (), (OPEN, FINAL), (OPEN,), 1.0, 0.0)], code, 100, PAD)
    assert EOS not in pairs.tokens
    assert len(pairs) == 1 and pairs.items().tolist() == [1]


def test_labels_stand_one_after_the_positions_that_predict_them() -> None:
    samples = Samples(
        Kind.TOKENS,
        np.array([5, 6, 7, 8, 9], dtype=np.int32),
        np.array([False, True, False, False, True]),
        np.array([0, 2, 5]),
        PAD,
    )
    batch = collate(samples, np.array([0, 1]), items=4)
    assert batch.input_ids.shape == (2, 16)
    assert batch.input_ids[:, :3].tolist() == [[5, 6, PAD], [7, 8, 9]]
    assert batch.positions.tolist() == [0, 16 + 1]
    assert batch.labels.tolist() == [6, 9]
    assert batch.weights.tolist() == [0.25, 0.25]
    assert batch.tokens == 5


def test_pairs_are_read_at_their_last_tokens() -> None:
    batch = collate(made_up([3, 5], Kind.PAIRS), np.array([0]), items=1)
    assert batch.positions.tolist() == [2, 16 + 4]
    assert batch.weights.tolist() == [1.0]
    assert batch.labels.numel() == 0


def test_a_rank_without_samples_takes_part_with_weight_zero() -> None:
    batch = collate(made_up([4, 4]), np.zeros(0, dtype=np.int64), items=3)
    assert batch.weights.tolist() == [0.0, 0.0, 0.0]
    assert batch.tokens == 0


@pytest.mark.parametrize("world", [1, 2, 3])
def test_every_rank_has_as_many_micro_steps_and_every_unit_comes_once(world: int) -> None:
    rng = np.random.default_rng(0)
    samples = made_up([int(n) for n in rng.integers(4, 60, size=101)])
    config = PlanConfig(batch_size=10, micro_batch_tokens=128, world_size=world, seed=3)
    alone = plan_epoch(samples, PlanConfig(10, 128, 1, 3), 1)
    plan = plan_epoch(samples, config, 1)
    assert len(plan) == steps_per_epoch(101, 10) == 11
    for step, reference in zip(plan, alone, strict=True):
        assert all(len(micro) == world for micro in step)
        ours = sorted(int(u) for micro in step for units in micro for u in units)
        assert ours == sorted(int(u) for micro in reference for units in micro for u in units)
        for micro in step:
            for units in micro:
                if len(units) > 1:
                    assert collate(samples, units, 1).input_ids.numel() <= 128
    everything = [int(u) for step in plan for micro in step for units in micro for u in units]
    assert sorted(everything) == list(range(101))


def test_weights_sum_to_one_over_ranks_and_micro_batches() -> None:
    samples = made_up([5, 9, 30, 12, 7, 41, 8])
    ranks = [list(step_batches(samples, PlanConfig(4, 64, 2, 0), rank, 0, 1)) for rank in (0, 1)]
    for step in zip(*ranks, strict=True):
        assert len(step[0]) == len(step[1])
        total = sum(float(batch.weights.sum()) for micro in step for batch in micro)
        assert total == pytest.approx(1.0)


def test_order_depends_on_seed_and_epoch_and_goes_on_where_it_was() -> None:
    samples = made_up([4 + i % 9 for i in range(40)])
    config = PlanConfig(4, 1024, 1, 7)
    whole = [step[0].input_ids for step in step_batches(samples, config, 0, 0, 2)]
    rest = [step[0].input_ids for step in step_batches(samples, config, 0, 13, 2)]
    assert len(whole) == 20 and len(rest) == 7
    assert all(torch.equal(a, b) for a, b in zip(whole[13:], rest, strict=True))
    first, second = whole[:10], whole[10:]
    assert not all(torch.equal(a, b) for a, b in zip(first, second, strict=True))
    other = [step[0].input_ids for step in step_batches(samples, PlanConfig(4, 1024, 1, 8), 0, 0, 1)]
    assert not all(a.shape == b.shape and torch.equal(a, b) for a, b in zip(first, other, strict=True))


def test_too_long_and_useless_records_are_counted() -> None:
    code, _ = encoder()
    long = Trajectory(PROBLEM, (Step("x " * 50, outcome=Outcome.OK), FINAL), True, 1.0)
    samples, dropped = encode_trajectories([long, Trajectory(PROBLEM, (), True, 1.0)], code, 80, PAD)
    assert len(samples) == 0 and dropped == {"too_long": 1, "nothing_to_learn": 1}
    same = PreferencePair(PROBLEM, (), (OPEN,), (OPEN,), 1.0, 0.0)
    pairs, dropped = encode_pairs([same], code, 80, PAD)
    assert len(pairs) == 0 and dropped == {"too_long": 0, "same_text": 1}


def test_equal_segments_are_tokenised_once() -> None:
    code, tokenise = encoder()
    record = Trajectory(PROBLEM, (OPEN, FINAL), True, 1.0)
    encode_trajectories([record, record], code, 100, PAD)
    encode_trajectories([record], code, 100, PAD)
    assert len(tokenise.calls) == 3


def test_samples_come_back_from_disk_as_they_were(tmp_path: Path) -> None:
    samples = made_up([3, 5], Kind.PAIRS)
    samples.save(tmp_path / "s.npz")
    loaded = Samples.load(tmp_path / "s.npz")
    assert loaded.kind is Kind.PAIRS and loaded.pad_id == PAD
    for name in ("tokens", "targets", "starts"):
        assert np.array_equal(getattr(loaded, name), getattr(samples, name))
