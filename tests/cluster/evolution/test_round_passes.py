"""Passes of a round over what is still unsolved: what each spends, how many trees it grows, and what is learnt from them."""

from __future__ import annotations

from pathlib import Path

import pytest

from cluster.searches.result import SearchResult
from cluster.searches.runner import SearchPlan
from search.data import Problem, Trajectory
from search.storage.tree_store import read_trees
from search.tree import Tree
from tests.cluster.evolution.scripted_rounds import (
    TRAIN,
    Script,
    facts,
    graded,
    read,
    run_to_training,
    running,
)
from tests.cluster.reward_eval.stored_samples import sample_tree, store_trees
from train.config import TrainConfig
from train.trainer.launch import TrainResult, TrainTask

METHOD = {"rule": "expert_iteration"}


class SeveralTrees(Script):
    """Stand-in that grows as many trees a problem as the plan says; ``solves`` says which are correct."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, solves: dict[tuple[int, str], int]) -> None:
        self.solves = solves  # (candidates of the search, problem id) -> number of the tree that is correct
        self.settings: list[TrainConfig] = []
        super().__init__(monkeypatch, self.grow_first)

    def grow_first(self, plan: SearchPlan, problem: Problem) -> Tree:
        """Grow tree 0 and store the others beside it."""
        return self.grow_number(plan, problem, 0)

    def grow_number(self, plan: SearchPlan, problem: Problem, number: int) -> Tree:
        if plan.blind:  # a judgement
            return Tree(problem, number=number)
        correct = self.solves.get((plan.config.candidates, problem.id)) == number  # type: ignore[attr-defined]
        tree = graded(plan, sample_tree(problem, int(correct), 1, 0))
        tree.number = number
        return tree

    def search(self, plan: SearchPlan, directory: Path) -> SearchResult:
        others = [
            self.grow_number(plan, problem, number)
            for problem in plan.problems
            for number in range(1, plan.config.trees)
        ]
        store_trees(directory, others)
        return super().search(plan, directory)

    def fit(self, config: TrainConfig, task: TrainTask, progress: object) -> TrainResult:
        self.settings.append(config)
        return super().fit(config, task, progress)


def test_passes_escalate_on_what_is_still_unsolved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three problems: the first is solved with 3 candidates, the second with 9 by its last tree, the third never."""
    first, second, third = (problem.id for problem in TRAIN)
    script = SeveralTrees(monkeypatch, {(3, first): 0, (9, second): 3})
    rounds = [{"rollouts": [3, 9, 27], "seeds": [1, 4, 2]}]
    with running(tmp_path / "run", method=METHOD, rounds=rounds) as context:
        run_to_training(context)
    searches = [(plan.config.candidates, plan.config.trees, [p.id for p in plan.problems]) for plan in script.plans]  # type: ignore[attr-defined]
    assert searches == [
        (3, 1, [first, second, third]),
        (9, 4, [second, third]),
        (27, 2, [third]),
    ]
    assert [plan.seed for plan in script.plans] == [("search", 1, 1), ("search", 1, 2), ("search", 1, 3)]
    stages = ("r1/search", "r1/search-2", "r1/search-3")
    assert [facts(tmp_path / "run", stage)["trees"] for stage in stages] == [3, 8, 2]
    assert [facts(tmp_path / "run", stage)["solved"] for stage in stages] == [1, 2, 2]
    assert [facts(tmp_path / "run", stage)["problems_solved"] for stage in stages] == [1, 1, 0]
    learnt = read(tmp_path / "run", Trajectory, "trajectories.jsonl")
    assert {solution.problem.id for solution in learnt} == {first, second}


def test_finished_passes_are_skipped_when_the_round_resumes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = SeveralTrees(monkeypatch, {})
    rounds = [{"rollouts": [3, 9], "seeds": 2}]
    for _ in range(2):
        with running(tmp_path / "run", method=METHOD, rounds=rounds) as context:
            run_to_training(context)
    assert len(script.plans) == 2
    trees = list(read_trees(tmp_path / "run/rounds/r1/search-2"))
    assert sorted(tree.key for tree in trees) == sorted((problem.id, number) for problem in TRAIN for number in (0, 1))


def test_trainings_of_a_round_follow_its_own_options(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = SeveralTrees(monkeypatch, {(3, problem.id): 0 for problem in TRAIN})
    rounds = [{}, {"train": {"policy": {"learning_rate": 5e-5, "epochs": 7}}}]
    with running(tmp_path / "run", method=METHOD, rounds=rounds) as context:
        for number in (1, 2):
            run_to_training(context, number)
    assert [(settings.learning_rate, settings.epochs) for settings in script.settings] == [(1e-3, 2), (5e-5, 7)]


def test_judgements_are_one_tree_a_solution(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = SeveralTrees(monkeypatch, {(3, problem.id): 1 for problem in TRAIN})
    method = {"rule": "self_rewarding", "policy": {"objective": "dpo"}}
    with running(tmp_path / "run", method=method, rounds=[{"seeds": 2}]) as context:
        run_to_training(context)
    assert [plan.config.trees for plan in script.plans] == [2, 1]
