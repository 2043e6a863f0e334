"""Choose solutions to label from stored samples, and write them as a labelling file."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from actors.engines.manager import EngineManager
from cluster.annotation.choose_solutions import (
    LabelCandidate,
    SelectionRequest,
    choose_candidates,
    select_solutions,
    solutions_file,
)
from cluster.reward_eval import step_scores
from cluster.reward_eval.request import SELECT, RewardEvalRequest
from search.data import Aggregation, Trajectory
from search.reward_models import RewardModelKind, probability
from tests.cluster.reward_eval.stored_samples import (
    PROBLEMS,
    context,
    incorrect_steps,
    patch_reward_model,
    sample_tree,
    store_trees,
)
from train.data.records import read_records
from train.labels.active_selection import ScoredSolution
from train.labels.annotation_files import read_annotations
from train.labels.prm800k import read_rows


@pytest.fixture(autouse=True)
def scripted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(EngineManager, "handles", lambda *_: [])
    patch_reward_model(monkeypatch, step_scores)


def candidate(problem_id: str, index: int, score: float, correct: bool) -> LabelCandidate:
    scored = ScoredSolution(name=f"{problem_id}/{index}", score=score, correct=correct)
    return LabelCandidate(problem_id=problem_id, tree=problem_id, index=index, scored=scored)


def request(trees: Path, aggregation: Aggregation) -> RewardEvalRequest:
    return RewardEvalRequest(
        folder=SELECT,
        model=Path("/models/ppm"),
        kind=RewardModelKind.PPM,
        aggregation=aggregation,
        split="",
        problems=(),
        trees=trees,
    )


def test_count_is_per_problem_or_of_all_together() -> None:
    candidates = [
        candidate("a", 0, 0.9, True),
        candidate("a", 1, 0.8, False),
        candidate("a", 2, 0.7, False),
        candidate("b", 0, 0.6, True),
        candidate("b", 1, 0.1, False),
    ]

    def choose(count: int, together: bool) -> list[tuple[str, int]]:
        return [(c.problem_id, c.index) for c in choose_candidates(candidates, count, together, seed=3)]

    assert choose(1, together=False) == [("a", 1), ("b", 1)]
    assert choose(2, together=False) == [("a", 1), ("a", 2), ("b", 1), ("b", 0)]
    assert choose(3, together=True) == [("a", 1), ("a", 2), ("a", 0)]


def test_chosen_solutions_are_written_as_a_labelling_file(tmp_path: Path) -> None:
    trees = store_trees(tmp_path / "trees", [sample_tree(problem, 3, 2, 2) for problem in PROBLEMS[:6]])
    output = tmp_path / "label me.jsonl"
    selection = SelectionRequest(count=1, together=False, output=output, generation=2)
    with context(tmp_path / "run") as running:
        result = select_solutions(running, request(trees, Aggregation.LAST), None, selection)
    assert result.describe() == "chose 6 of 12 different solutions of 6 problems, 6 of them incorrect"
    rows = [row for _, row in read_rows([output], Counter())]
    expected = {problem.question: (problem, incorrect_steps(problem)) for problem in PROBLEMS[:6]}
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
    solutions = list(read_records(Trajectory, [solutions_file(output)]))
    assert [(solution.problem.question, solution.correct) for solution in solutions] == [
        (row.question.problem, False) for row in rows
    ]
    tally = Counter[str]()
    assert list(read_annotations([output], solutions, tally)) == []
    assert tally == {"rows": 6, "unlabelled": 6}


def test_same_samples_and_seed_choose_the_same_solutions(tmp_path: Path) -> None:
    trees = store_trees(tmp_path / "trees", [sample_tree(problem, 1, 1, 0) for problem in PROBLEMS[:8]])
    contents = []
    for name in ("a", "b"):
        with context(tmp_path / "run") as running:
            selection = SelectionRequest(count=5, together=True, output=tmp_path / f"{name}.jsonl")
            select_solutions(running, request(trees, Aggregation.MEAN), None, selection)
        contents.append((tmp_path / f"{name}.jsonl").read_text())
    assert contents[0] == contents[1]
    scores = [json.loads(line)["question"]["pre_generated_verifier_score"] for line in contents[0].splitlines()]
    assert len(scores) == 5 and sum(score > 0.9 for score in scores) == 1  # four incorrect ones and a correct one
