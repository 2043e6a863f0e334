"""Stages of a whole run and what they take at most, worked out by hand."""

from __future__ import annotations

from typing import Any

from cluster.config.run_config import RunConfig
from cluster.plan import rounds
from cluster.plan.parameters import ModelParameters
from cluster.plan.stages import PlannedStage, ProblemCounts, problem_counts
from search.problems.loading import load_problem_sets

COUNTS = ProblemCounts((100, 100), 0, {"heldout": 0})
SEARCH = {"rollouts": 2, "candidates": 3, "max_depth": 4, "max_step_tokens": 5}


def plan(**fields: Any) -> dict[str, PlannedStage]:
    config = RunConfig.model_validate(
        {"name": "r", "problems": {"train": {"name": "curriculum", "count": 2}}, "search": SEARCH, **fields}
    )
    return {stage.name: stage for stage in rounds.evolve(config, COUNTS, ModelParameters(policy=10))}


def test_a_round_learns_from_the_trees_of_all_rounds_so_far() -> None:
    """A tree has 8 expansions, so 4 x (8 + 1) pairs; round 2 has two trees a problem. Two trajectories a problem."""
    stages = plan(rounds=[{}, {"values": "reward_model"}], train={"policy": {"max_length": 10, "epochs": 1}})
    assert stages["r1/train_policy"].cost.trained == stages["r2/train_policy"].cost.trained == 100 * 2 * 10
    pairs = [stages[f"r{number}/train_reward_model"].cost.trained for number in (1, 2)]
    assert pairs == [100 * 36 * 2 * 1024, 100 * 72 * 2 * 1024]


def test_a_trained_reward_model_has_the_size_of_the_policy() -> None:
    stages = plan(rounds=[{}, {"values": "reward_model"}])
    tokens = 100 * 8 * 3 * 5
    assert (stages["r1/search"].cost.scored, stages["r1/search"].cost.flops) == (0, 2 * 10 * tokens)
    assert (stages["r2/search"].cost.scored, stages["r2/search"].cost.flops) == (tokens, 2 * 20 * tokens)


def test_pairs_are_bounded_by_the_option_of_the_rule() -> None:
    stages = plan(
        search={"strategy": "sampling", "candidates": 30},
        method={"rule": "irpo", "options": {"pairs": 7}, "policy": {"objective": "dpo"}},
        rounds=[{}],
        train={"policy": {"max_length": 10, "epochs": 3}},
    )
    assert stages["r1/train_policy"].cost.trained == 100 * 7 * 2 * 10 * 3
    assert "r1/train_reward_model" not in stages


def test_labels_by_people_are_counted_as_declared() -> None:
    method = {
        "rule": "checked_labels",
        "reward_model": {"objective": "prm"},
        "labels": "none",
        "labelled_solutions": 50,
    }
    stages = plan(method=method, rounds=[{}], train={"reward_model": {"max_length": 8, "epochs": 2}})
    assert stages["r1/train_reward_model"].cost.trained == 50 * 8 * 2


def test_self_judging_draws_three_marks_of_every_solution() -> None:
    stages = plan(
        search={"strategy": "sampling", "candidates": 4, "max_solution_tokens": 20, "max_step_tokens": 5},
        method={"rule": "self_rewarding", "policy": {"objective": "dpo"}},
        rounds=[{}],
    )
    assert stages["r1/self_judgements"].cost.requests == 100 * 8 * 3 * 2


def test_solutions_of_every_pass_are_marked() -> None:
    stages = plan(
        search={"strategy": "sampling", "candidates": 4},
        method={"rule": "self_rewarding", "policy": {"objective": "dpo"}},
        rounds=[{"rollouts": [4, 16]}],
    )
    assert stages["r1/self_judgements"].cost.requests == 100 * (8 + 32) * 3 * 2


def test_solutions_of_earlier_rounds_on_other_problems_count() -> None:
    config = RunConfig.model_validate(
        {
            "name": "r",
            "problems": {"train": {"name": "curriculum", "count": 8, "levels": [5, 6]}},
            "search": SEARCH,
            "rounds": [{"levels": [5, 5]}, {"levels": [6, 6]}, {}],
            "train": {"policy": {"max_length": 10, "epochs": 1}},
        }
    )
    counts = problem_counts(config, load_problem_sets(config.problems))
    assert counts.rounds == (4, 4, 8) and counts.history == (4, 8, 8)
    stages = {stage.name: stage for stage in rounds.evolve(config, counts, ModelParameters(policy=10))}
    trained = [stages[f"r{number}/train_policy"].cost.trained for number in (1, 2, 3)]
    assert trained == [4 * 2 * 10, 8 * 2 * 10, 8 * 2 * 10]  # two trajectories a problem
