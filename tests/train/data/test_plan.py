"""Which units come together: those of a problem with trees, whatever the number of workers."""

from __future__ import annotations

import numpy as np
import pytest

from train.data.batches import collate
from train.data.plan import MicroPlan, PlanConfig, plan_epoch, tree_length
from train.data.tokenized import TokenizedRow, TokenizedSet, pack
from train.objectives import SampleKind

PROBLEMS, UNITS = 12, 10


def make_samples(kind: SampleKind = SampleKind.PAIRS) -> TokenizedSet:
    """Return ten units for each of twelve problems, each sequence a prompt of 20 tokens and a branch of 1 to 9."""
    rng = np.random.default_rng(0)
    rows, problems = list[TokenizedRow](), list[str]()
    for problem in range(PROBLEMS):
        prompt = rng.integers(2, 90, size=20).tolist()
        for _ in range(UNITS):
            problems.append(str(problem))
            for _ in range(kind.width):
                tokens = prompt + rng.integers(2, 90, size=rng.integers(1, 10)).tolist()
                rows.append(TokenizedRow(tokens, [False] * 20 + [True] * (len(tokens) - 20)))
    return pack(kind, rows, 0, problems)


def order(world: int = 1, batch: int = 16, tokens: int = 256, seed: int = 0) -> PlanConfig:
    return PlanConfig(batch_size=batch, micro_batch_tokens=tokens, world_size=world, seed=seed, packing="tree")


def units_of(step: list[MicroPlan]) -> list[int]:
    return sorted(int(unit) for micro in step for units in micro for unit in units)


@pytest.mark.parametrize("world", [1, 2, 3])
def test_every_unit_comes_once_in_an_epoch(world: int) -> None:
    samples = make_samples()
    steps = plan_epoch(samples, order(world), 3)
    assert sorted(unit for step in steps for unit in units_of(step)) == list(range(len(samples)))
    assert [len(units_of(step)) for step in steps] == [16] * 7 + [8]
    assert all(len(micro) == world for step in steps for micro in step)


def test_steps_are_the_same_for_every_number_of_workers() -> None:
    samples = make_samples()
    alone, together = (plan_epoch(samples, order(world), 1) for world in (1, 3))
    assert [units_of(step) for step in alone] == [units_of(step) for step in together]


def test_a_step_has_units_of_several_problems() -> None:
    samples = make_samples()
    for step in plan_epoch(samples, order(), 0)[:-1]:
        assert len(set(samples.problems[units_of(step)])) >= 4


def test_epochs_and_seeds_shuffle_differently() -> None:
    samples = make_samples()
    plans = [plan_epoch(samples, order(seed=seed), epoch) for seed, epoch in ((0, 0), (0, 1), (1, 0))]
    first = [units_of(plan[0]) for plan in plans]
    assert len({tuple(units) for units in first}) == 3
    assert units_of(plan_epoch(samples, order(), 0)[0]) == first[0]


@pytest.mark.parametrize("world", [1, 2])
def test_micro_steps_keep_to_their_tokens(world: int) -> None:
    samples = make_samples()
    for step in plan_epoch(samples, order(world, tokens=100), 0):
        for micro in step:
            for units in micro:
                if len(units) > 1:
                    parts = [units[samples.problems[units] == number] for number in set(samples.problems[units])]
                    assert sum(tree_length(samples, part) for part in parts) <= 100


def test_batch_of_trees_holds_each_sequence_in_full() -> None:
    samples = make_samples(SampleKind.TOKENS)
    units = np.array([3, 1, 25, 40, 41])
    batch = collate(samples, units, 1, "tree")
    assert batch.trees is not None and batch.input_ids.shape == batch.trees.depths.shape
    assert batch.tokens == sum(len(samples.sequence(unit)) for unit in units)
    assert batch.input_ids.shape[0] * batch.input_ids.shape[1] < batch.tokens
    targets = [samples.sequence(unit)[20:].tolist() for unit in units]
    labels = batch.targets.labels.tolist()
    rows = batch.targets.rows.tolist()
    assert [[label for label, row in zip(labels, rows, strict=True) if row == n] for n in range(5)] == targets
    before = batch.input_ids.reshape(-1)[batch.positions].tolist()
    firsts = [samples.sequence(unit)[19] for unit in units]
    assert [before[rows.index(n)] for n in range(5)] == firsts


def test_samples_without_problems_are_trees_of_their_own() -> None:
    rows = [TokenizedRow([5, 6, 7], [False, True, True]), TokenizedRow([5, 6, 8], [False, False, True])]
    batch = collate(pack(SampleKind.TOKENS, rows, 0), np.array([0, 1]), 3, "tree")
    assert batch.input_ids[0, :6].tolist() == [5, 6, 7, 5, 6, 8]
    assert batch.positions.tolist() == [0, 1, 4]
