"""Choosing solutions to label from stored samples, and the file that comes of it."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from actors.engines.manager import EngineManager
from cluster.annotation.choose_solutions import Candidate, Selection, chosen, select, solutions_file
from cluster.reward_eval import step_scores
from cluster.reward_eval.request import RewardEvalRequest
from search.data import Trajectory
from search.evaluation.voting import Aggregation
from search.reward_models import RewardModelKind, probability
from tests.cluster.reward_eval.judged_samples import PROBLEMS, KnowingRewardModel, context, store_trees, tree, wrong
from train.data.loading import read_records
from train.labels.active_selection import ScoredSolution
from train.labels.annotation_files import read_labelling
from train.labels.prm800k import read_rows


@pytest.fixture(autouse=True)
def scripted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(EngineManager, "reward_model", lambda *_: [])
    monkeypatch.setattr(step_scores, "RewardModelPool", KnowingRewardModel)


def candidate(problem: str, place: int, score: float, right: bool) -> Candidate:
    return Candidate(problem, place, ScoredSolution(f"{problem}/{place}", score, right))


def test_the_count_is_of_each_problem_or_of_all_together() -> None:
    found = [
        candidate("a", 0, 0.9, True),
        candidate("a", 1, 0.8, False),
        candidate("a", 2, 0.7, False),
        candidate("b", 0, 0.6, True),
        candidate("b", 1, 0.1, False),
    ]

    def places(count: int, together: bool) -> list[tuple[str, int]]:
        return [(one.problem, one.place) for one in chosen(found, count, together, seed=3)]

    assert places(1, together=False) == [("a", 1), ("b", 1)]
    assert places(2, together=False) == [("a", 1), ("a", 2), ("b", 1), ("b", 0)]
    assert places(3, together=True) == [("a", 1), ("a", 2), ("a", 0)]


def test_chosen_solutions_are_a_labelling_file_that_can_be_read_back(tmp_path: Path) -> None:
    trees = store_trees(tmp_path / "trees", [tree(problem, 3, 2, 2) for problem in PROBLEMS[:6]])
    output = tmp_path / "label me.jsonl"
    asked = RewardEvalRequest("select", Path("/judges/ppm"), RewardModelKind.PPM, Aggregation.LAST, "", (), trees=trees)
    with context(tmp_path / "run") as running:
        found = select(running, asked, None, Selection(1, together=False, output=output, generation=2))
    assert found.told() == "chose 6 of 12 different solutions of 6 problems, 6 of them wrong"
    rows = [row for _, row in read_rows([output], Counter())]
    expected = {problem.question: (problem, wrong(problem)) for problem in PROBLEMS[:6]}
    assert {row.question.problem for row in rows} == set(expected)
    assert [row.question.problem for row in rows] != list(expected)  # the order says nothing
    for row in rows:
        problem, steps = expected[row.question.problem]
        assert row.question.pre_generated_steps == tuple(step.text for step in steps)
        assert (row.question.ground_truth_answer, row.question.pre_generated_answer) == (
            problem.answer,
            steps[-1].answer,
        )
        assert row.question.pre_generated_verifier_score == probability(-2.0, RewardModelKind.PPM)
        assert (row.labeler, row.timestamp, row.generation, row.label.finish_reason) == (None, None, 2, None)
    given_out = list(read_records(Trajectory, [solutions_file(output)]))
    assert [(one.problem.question, one.correct) for one in given_out] == [(row.question.problem, False) for row in rows]
    tally = Counter[str]()
    assert list(read_labelling([output], given_out, tally)) == []
    assert tally == {"rows": 6, "unlabelled": 6}


def test_the_same_samples_and_seed_choose_the_same(tmp_path: Path) -> None:
    trees = store_trees(tmp_path / "trees", [tree(problem, 1, 1, 0) for problem in PROBLEMS[:8]])
    asked = RewardEvalRequest("select", Path("/judges/ppm"), RewardModelKind.PPM, Aggregation.MEAN, "", (), trees=trees)
    contents = []
    for name in ("a", "b"):
        with context(tmp_path / "run") as running:
            select(running, asked, None, Selection(5, together=True, output=tmp_path / f"{name}.jsonl"))
        contents.append((tmp_path / f"{name}.jsonl").read_text())
    assert contents[0] == contents[1]
    scores = [json.loads(line)["question"]["pre_generated_verifier_score"] for line in contents[0].splitlines()]
    assert len(scores) == 5 and sum(score > 0.9 for score in scores) == 1  # four wrong ones and a right one
