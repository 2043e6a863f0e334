"""In which order and company sequences come, and where the head is read."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from train.data.batches import collate, step_batches
from train.data.plan import PlanConfig, plan_epoch, steps_per_epoch
from train.data.tokenized import TokenizedRow, TokenizedSet, pack
from train.objectives import SampleKind

PAD = 0


def make_set(lengths: list[int], kind: SampleKind = SampleKind.TOKENS) -> TokenizedSet:
    starts = np.concatenate(([0], np.cumsum(lengths))).astype(np.int64)
    targets = np.ones(int(starts[-1]), dtype=np.bool_)
    targets[starts[:-1]] = False
    return TokenizedSet(
        kind=kind, tokens=np.arange(starts[-1], dtype=np.int32) + 2, targets=targets, starts=starts, pad_id=PAD
    )


def test_labels_stand_one_after_their_positions() -> None:
    samples = TokenizedSet(
        kind=SampleKind.TOKENS,
        tokens=np.array([5, 6, 7, 8, 9], dtype=np.int32),
        targets=np.array([False, True, False, False, True]),
        starts=np.array([0, 2, 5]),
        pad_id=PAD,
    )
    batch = collate(samples, np.array([0, 1]), items=4)
    assert batch.input_ids.shape == (2, 16)
    assert batch.input_ids[:, :3].tolist() == [[5, 6, PAD], [7, 8, 9]]
    assert batch.positions.tolist() == [0, 16 + 1]
    assert batch.targets.labels.tolist() == [6, 9]
    assert batch.targets.rows.tolist() == [0, 1] and batch.targets.sequences == 2
    assert batch.weights.tolist() == [0.25, 0.25]
    assert batch.tokens == 5


def test_pairs_are_read_at_their_last_tokens() -> None:
    batch = collate(make_set([3, 5], SampleKind.PAIRS), np.array([0]), items=1)
    assert batch.positions.tolist() == [2, 16 + 4]
    assert batch.weights.tolist() == [1.0]
    assert batch.targets.labels.numel() == 0


def test_pairs_weigh_by_their_share_of_the_step() -> None:
    rows = [TokenizedRow([5, 6], [True, True])] * 6
    samples = pack(SampleKind.PAIRS, rows, PAD, unit_weights=(1.0, 0.25, 0.25))
    order = PlanConfig(batch_size=3, micro_batch_tokens=32, world_size=2, seed=0)  # one pair a micro-batch
    weights = [
        float(weight)
        for rank in range(2)
        for step in step_batches(samples, order, rank, first_step=0, epochs=1)
        for batch in step
        for weight in batch.weights
    ]
    # Of 1 + 0.25 + 0.25 = 1.5: 2/3, 1/6 and 1/6; and 0 of the rank that has no second pair.
    assert sorted(weights) == [0.0, pytest.approx(1 / 6), pytest.approx(1 / 6), pytest.approx(2 / 3)]
    assert len(pack(SampleKind.PAIRS, rows, PAD, unit_weights=(1.0, 1.0, 1.0)).unit_weights) == 0


def test_scored_tokens_are_read_at_their_own_positions() -> None:
    rows = [
        TokenizedRow([5, 6], [False, True], [(0.5,)]),
        TokenizedRow([7, 8, 9], [True, False, True], [(-1.0,), (0.25,)]),
    ]
    batch = collate(pack(SampleKind.STEP_VALUES, rows, PAD), np.array([1, 0]), items=3)
    assert batch.positions.tolist() == [0, 2, 16 + 1]
    assert batch.input_ids.reshape(-1)[batch.positions].tolist() == [7, 9, 6]
    assert batch.targets.labels.tolist() == [[-1.0], [0.25], [0.5]]
    assert batch.targets.rows.tolist() == [0, 0, 1]
    assert batch.weights.tolist() == pytest.approx([1 / 3] * 3)


def test_preferences_are_read_before_each_target() -> None:
    rows = [
        TokenizedRow([5, 6, 7], [False, True, True]),
        TokenizedRow([5, 8], [False, True]),
        TokenizedRow([4, 3], [False, True]),
        TokenizedRow([4, 2, 3], [False, False, True]),
    ]
    samples = replace(pack(SampleKind.PREFERENCES, rows, PAD), reference=np.array([-1, -2, -3, -4], dtype=np.float32))
    batch = collate(samples, np.array([1, 0]), items=2)
    assert batch.input_ids[:, :3].tolist() == [[4, 3, PAD], [4, 2, 3], [5, 6, 7], [5, 8, PAD]]
    assert batch.positions.tolist() == [0, 16 + 1, 32, 32 + 1, 48]
    assert batch.targets.labels.tolist() == [3, 3, 6, 7, 8]
    assert batch.targets.rows.tolist() == [0, 1, 2, 2, 3] and batch.targets.sequences == 4
    assert batch.targets.reference.tolist() == [-3.0, -4.0, -1.0, -2.0]
    assert batch.weights.tolist() == [0.5, 0.5]


def test_rank_without_samples_takes_part_with_weight_zero() -> None:
    batch = collate(make_set([4, 4]), np.zeros(0, dtype=np.int64), items=3)
    assert batch.weights.tolist() == [0.0, 0.0, 0.0]
    assert batch.tokens == 0


@pytest.mark.parametrize("world", [1, 2, 3])
def test_ranks_have_equal_micro_steps_and_every_unit_once(world: int) -> None:
    rng = np.random.default_rng(0)
    samples = make_set([int(n) for n in rng.integers(4, 60, size=101)])
    config = PlanConfig(batch_size=10, micro_batch_tokens=128, world_size=world, seed=3)
    alone = plan_epoch(samples, PlanConfig(batch_size=10, micro_batch_tokens=128, world_size=1, seed=3), 1)
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
    samples = make_set([5, 9, 30, 12, 7, 41, 8])
    ranks = [
        list(step_batches(samples, PlanConfig(batch_size=4, micro_batch_tokens=64, world_size=2, seed=0), rank, 0, 1))
        for rank in (0, 1)
    ]
    for step in zip(*ranks, strict=True):
        assert len(step[0]) == len(step[1])
        total = sum(float(batch.weights.sum()) for micro in step for batch in micro)
        assert total == pytest.approx(1.0)


def test_order_depends_on_seed_and_epoch_and_resumes() -> None:
    samples = make_set([4 + i % 9 for i in range(40)])
    config = PlanConfig(batch_size=4, micro_batch_tokens=1024, world_size=1, seed=7)
    whole = [step[0].input_ids for step in step_batches(samples, config, 0, 0, 2)]
    rest = [step[0].input_ids for step in step_batches(samples, config, 0, 13, 2)]
    assert len(whole) == 20 and len(rest) == 7
    assert all(torch.equal(a, b) for a, b in zip(whole[13:], rest, strict=True))
    first, second = whole[:10], whole[10:]
    assert not all(torch.equal(a, b) for a, b in zip(first, second, strict=True))
    other = [
        step[0].input_ids
        for step in step_batches(
            samples, PlanConfig(batch_size=4, micro_batch_tokens=1024, world_size=1, seed=8), 0, 0, 1
        )
    ]
    assert not all(a.shape == b.shape and torch.equal(a, b) for a, b in zip(first, other, strict=True))


def test_samples_round_trip_through_disk(tmp_path: Path) -> None:
    rows = [
        TokenizedRow([5, 6], [False, True], [(1.0, 0.0, 0.0)]),
        TokenizedRow([7, 8], [True, False], [(0.0, 0.0, 1.0)]),
    ]
    samples = replace(pack(SampleKind.STEP_LABELS, rows, PAD), reference=np.array([-1.5, -2.5], dtype=np.float32))
    samples.save(tmp_path / "s.npz")
    loaded = TokenizedSet.load(tmp_path / "s.npz")
    assert loaded.kind is SampleKind.STEP_LABELS and loaded.pad_id == PAD
    assert loaded.labels.tolist() == [[0, 0, 0], [1, 0, 0], [0, 0, 1], [0, 0, 0]]
    for name in ("tokens", "targets", "starts", "labels", "reference"):
        assert np.array_equal(getattr(loaded, name), getattr(samples, name))
    assert [path.name for path in tmp_path.iterdir()] == ["s.npz"]
