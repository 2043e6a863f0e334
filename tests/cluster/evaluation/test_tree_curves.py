"""Accuracy of a search by the number of its trees a problem, from hand-made trees; and how an evaluation keeps it."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from cluster.evaluation import accuracy, evaluate
from cluster.evaluation.records import EVALUATION, Evaluation
from cluster.evaluation.tree_curves import measure_trees
from cluster.run.models import Models, model_ref
from cluster.searches.result import SearchResult, summarise_trees
from cluster.searches.runner import SearchPlan, SearchRunner
from search.data import Aggregation, Cost, Problem, Step, StepStatus
from search.evaluation.tree_votes import VoteRule
from search.grading.grader import grader
from search.problems.loading import ProblemSets
from search.seeds import derive, tree_seed
from search.tree import ROOT, Tree
from tests.cluster.evolution.scripted_rounds import BASE, running
from tests.cluster.reward_eval.stored_samples import store_trees

PROBLEMS = tuple(Problem(id=name, question=f"{name}?", answer="7", source="t") for name in ("a", "b"))


def grown(problem: Problem, number: int, *solutions: tuple[str, float]) -> Tree:
    """Return a tree with a solution a branch: answer, logit."""
    best = max(solutions, key=lambda solution: solution[1])[0] if solutions else None
    tree = Tree(problem, number=number, strategy="mcts", answer=best, cost=Cost(generated_tokens=100))
    for answer, logit in solutions:
        end = tree.add(ROOT, Step(f"{answer} {logit}", status=StepStatus.FINAL, answer=answer))
        tree.nodes[end].logit = logit
    return tree


TREES = [
    grown(PROBLEMS[0], 0, ("7", 0.1), ("8", -1.0)),
    grown(PROBLEMS[0], 1, ("7", 0.2)),
    grown(PROBLEMS[0], 2, ("8", 3.0)),
    grown(PROBLEMS[1], 0, ("8", 0.1), ("7", -0.1)),
    grown(PROBLEMS[1], 2, ("7", -2.0)),
]


def test_curve_has_means_over_problems_by_number_of_trees() -> None:
    """Problem a: 2 of 3 trees answer 7, the best of all is 8. Problem b: tree 1 is missing, the others say 8 and 7."""
    curve, together = measure_trees(TREES, PROBLEMS, grader(), 3, Aggregation.LAST, VoteRule())
    assert [point.k for point in curve.points] == [1, 2, 3]
    assert [point.tokens for point in curve.points] == pytest.approx([500 / 2 / 3, 500 / 3, 250])
    means = {name: [point.accuracies[name].mean for point in curve.points] for name in curve.points[0].accuracies}
    assert means["majority"] == pytest.approx([(2 / 3 + 1 / 3) / 2, (2 / 3 + (0 + 1 / 2 + 1) / 3) / 2, (1 + 1 / 2) / 2])
    assert means["best"] == pytest.approx([1 / 2, (1 / 3 + (0 + 0 + 1) / 3) / 2, 0])
    assert means["coverage"] == pytest.approx([(2 / 3 + 2 / 3) / 2, 1, 1])
    assert together["majority"] == {"a": 1.0, "b": 0.5}
    assert together["best"] == {"a": 0.0, "b": 0.0}
    last = curve.points[-1].accuracies["majority"]
    assert last.n == 2 and last.low < 0.75 < last.high


def test_accuracy_of_one_tree_is_the_mean_over_all() -> None:
    by_id = {problem.id: problem for problem in PROBLEMS}
    accuracies = accuracy.answer_accuracies(TREES, by_id, grader(), 3)
    assert accuracies == pytest.approx({"a": 2 / 3, "b": 1 / 3})  # the missing tree of b counts as incorrect
    assert accuracy.answer_accuracies(TREES[1:2], by_id, grader()) == {"a": 1.0, "b": 0.0}


def test_rule_of_the_config_says_who_votes() -> None:
    rule = VoteRule(per_tree=2, top=2)
    curve, _ = measure_trees(TREES, PROBLEMS, grader(), 3, Aggregation.LAST, rule)
    assert (curve.trees, curve.per_tree, curve.top) == (3, 2, 2)
    last = curve.points[-1].accuracies  # of a the voters are 8 (3.0) and 7 (0.2), of b 8 (0.1) and 7 (-0.1)
    assert last["majority"].mean == pytest.approx(0.5)


class Script:
    """Stand-in for the searches of an evaluation: the search grows trees 0 to 2 of every problem."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.plans: list[SearchPlan] = []
        monkeypatch.setattr(SearchRunner, "run", lambda _, plan, directory: self.search(plan, directory))
        monkeypatch.setattr(SearchRunner, "engines", lambda *_: None)

    def search(self, plan: SearchPlan, directory: Path) -> SearchResult:
        self.plans.append(plan)
        trees = []
        for problem in plan.problems:
            for number in range(plan.config.trees):
                answer = "7" if number < 2 else "8"
                tree = grown(problem, number, (answer, math.atanh(0.5)))
                tree.strategy, tree.seed = plan.config.strategy, tree_seed(derive(0, *plan.seed), problem.id, number)
                trees.append(tree)
        store_trees(directory, trees)
        return summarise_trees(directory, {})


def test_evaluation_keeps_one_tree_and_all_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = Script(monkeypatch)
    settings = {"search": {"trees": 3, "rollouts": 2, "step_aggregation": "last"}, "samples": 2}
    with running(tmp_path / "run", evaluation=settings) as context:
        object.__setattr__(context, "problems", ProblemSets(train=(), validation=(), evaluation={"held": PROBLEMS}))
        runner = SearchRunner(context)
        reward_model = model_ref("reward_model", "/ppm", 1, "ppm")
        evaluation = evaluate.evaluate(context, runner, 4, Models(BASE, BASE, reward_model))
    assert [plan.config.trees for plan in script.plans] == [1, 1, 3]
    search = evaluation.splits["held"]["search"]
    assert search is not None
    assert (search.accuracy, search.tokens) == (pytest.approx(2 / 3), 200)  # of one tree a problem
    curve = evaluation.trees["held"]
    assert curve.trees == 3
    assert {name: interval.mean for name, interval in curve.points[-1].accuracies.items()} == {
        "best": 0.5, "weighted": 1.0, "majority": 1.0, "coverage": 1.0,
    }  # fmt: skip
    stage = tmp_path / "run/rounds/r4/evaluate"
    assert Evaluation.read(stage / EVALUATION) == evaluation
    per_problem = json.loads((stage / evaluate.PROBLEM_ACCURACIES).read_text())["held"]
    assert per_problem["trees_majority"] == {"a": 1.0, "b": 1.0}
    assert per_problem["search"] == pytest.approx({"a": 2 / 3, "b": 2 / 3})
    facts = json.loads((stage / "done.json").read_text())
    assert facts["tokens"] == 200 + 200 + 600  # greedy, samples, and all trees of the search


def test_evaluation_of_one_tree_a_problem_has_no_curve(tmp_path: Path) -> None:
    evaluation = Evaluation(round=1, splits={"held": {"search": None}})
    evaluation.write(tmp_path)
    assert Evaluation.read(tmp_path / EVALUATION).trees == {}
