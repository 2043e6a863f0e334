"""Samples of a problem in several trees: every solution is scored, checked and offered for labels, and none replaces another."""

from __future__ import annotations

from pathlib import Path

import pytest

from actors.engines.manager import EngineManager
from cluster.annotation.choose_solutions import read_candidates
from cluster.reward_eval import evaluate, samples, step_scores
from cluster.reward_eval.exact_check import process_rows
from cluster.reward_eval.request import REWARD_EVAL, RewardEvalRequest
from cluster.searches.runner import SearchRunner
from search.data import Aggregation
from search.formats.code_format import CodeFormat
from search.reward_models import RewardModelKind
from search.tree import Tree
from tests.cluster.reward_eval.stored_samples import PROBLEMS, context, patch_reward_model, sample_tree, store_trees
from tests.fakes.executor import ScriptedExecutor, print_argument


def numbered(number: int, correct: int, incorrect: int, unfinished: int = 0) -> Tree:
    tree = sample_tree(PROBLEMS[0], correct, incorrect, unfinished)
    tree.number = number
    return tree


TREES = (numbered(0, 1, 0), numbered(1, 1, 1), numbered(2, 0, 2, 1))


@pytest.fixture
def request_of_trees(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RewardEvalRequest:
    monkeypatch.setattr(EngineManager, "handles", lambda *_: [])
    patch_reward_model(monkeypatch, step_scores)
    return RewardEvalRequest(
        folder=REWARD_EVAL,
        model=Path("/models/ppm"),
        kind=RewardModelKind.PPM,
        aggregation=Aggregation.LAST,
        split="",
        problems=PROBLEMS[:1],
        trees=store_trees(tmp_path / "trees", TREES),
    )


def test_solutions_of_all_trees_are_samples_of_the_problem(request_of_trees: RewardEvalRequest, tmp_path: Path) -> None:
    with context(tmp_path / "run") as run:
        logits = samples.score(run, SearchRunner(run), request_of_trees)
        assert set(logits) == {tree.name for tree in TREES}
        curves = evaluate.measure_curves(run, request_of_trees, logits)
        candidates = read_candidates(run, request_of_trees, logits)
    assert (curves.problems, curves.samples, curves.generated_tokens) == (1, 6, 300)
    assert curves.methods["majority"][-1].mean == 0  # two correct, three incorrect, one unfinished
    assert [(one.tree, one.scored.correct) for one in candidates] == [
        (TREES[0].name, True),
        (TREES[1].name, False),
    ]  # equal solutions of other trees are left out


async def test_rows_of_all_trees_have_names_of_their_own() -> None:
    rows = await process_rows(TREES, CodeFormat(), ScriptedExecutor(print_argument))
    assert list(rows) == [tree.name for tree in TREES]
    names = [row.id for of_tree in rows.values() for row in of_tree]
    assert len(names) == len(set(names)) == 4
    assert names[-1] == f"{PROBLEMS[0].id}, tree 2/0"
