"""Judging stored samples and files of steps, from trees to tables, with a scripted reward model in the engines' place."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from actors.engines.manager import EngineManager
from actors.sandbox.limits import Tier
from cluster.report import reward_eval
from cluster.reward_eval import evaluate, step_scores, threshold
from cluster.reward_eval.evaluate import RESULT
from cluster.reward_eval.first_error import ROWS
from cluster.reward_eval.request import RewardEvalRequest, rows_given
from cluster.reward_eval.threshold import Threshold, measured
from cluster.searches.runner import SearchPlan, SearchReport, SearchRunner, report
from search.data import ModelRef
from search.errors import UserError
from search.evaluation.confidence import wilson
from search.evaluation.process_bench import JudgedSteps, ProcessRow, read
from search.evaluation.voting import Aggregation
from search.reward_models import RewardModelKind, probability
from tests.cluster.reward_eval.judged_samples import (
    PROBLEMS,
    KnowingRewardModel,
    context,
    first_mistake,
    store_trees,
    tree,
)

MODEL = Path("/judges/reward_model")
HIGH, LOW = probability(2.0, RewardModelKind.PPM), probability(-2.0, RewardModelKind.PPM)


@pytest.fixture(autouse=True)
def scripted(monkeypatch: pytest.MonkeyPatch) -> None:
    """No engine: a pool is a reward model that knows the mistakes."""
    monkeypatch.setattr(EngineManager, "reward_model", lambda *_: [])
    monkeypatch.setattr(step_scores, "RewardModelPool", KnowingRewardModel)
    KnowingRewardModel.asked = 0


@pytest.fixture
def trees(tmp_path: Path) -> Path:
    """Of each problem one right sample, two wrong ones that are alike, and one without an end."""
    return store_trees(tmp_path / "trees", [tree(problem, 1, 2, 1) for problem in PROBLEMS])


def asked(trees: Path, model: Path = MODEL, limit: int | None = None) -> RewardEvalRequest:
    return RewardEvalRequest("judge", model, RewardModelKind.PPM, Aggregation.LAST, "", (), trees=trees, limit=limit)


def means(found: dict[str, list[dict[str, float]]], name: str) -> list[float]:
    return [round(one["mean"], 9) for one in found[name]]


def test_samples_become_curves_and_their_steps_are_checked(trees: Path, tmp_path: Path) -> None:
    root = tmp_path / "run"
    with context(root) as running:
        reward_eval.finish(root, evaluate.judge(running, asked(trees), None, Threshold()), running.progress)
        said = running.progress.console.file.getvalue()  # type: ignore[attr-defined]
    found = json.loads((root / RESULT).read_text())
    curves = found["curves"]
    assert (curves["problems"], curves["samples"], curves["sizes"], curves["by"]) == (12, 4, [1, 2, 3, 4], "last")
    # The right one scores highest wherever it is drawn; the two wrong ones outvote it.
    for name in ("product", "min", "last", "mean", "weighted", "any"):
        assert means(curves["methods"], name) == [0.25, 0.5, 0.75, 1.0]
    assert means(curves["methods"], "majority") == [0.25, round(2 / 6, 9), 0.25, 0.0]
    last = wilson(12, 12)
    assert curves["methods"]["last"][3] == {"mean": 1.0, "low": last.low, "high": 1.0, "n": 12}
    assert curves["generated"] == 100.0
    assert found["steps"]["threshold"] == pytest.approx((HIGH + LOW) / 2)
    assert found["steps"]["f1"]["mean"] == 1.0
    assert 12 <= found["steps"]["f1"]["n"] < 24  # the other problems chose the threshold
    assert "a step is called wrong below 0.500 (chosen on 30 % of the problems)" in said
    assert "best by / N" in said and "F1" in said
    assert (root / reward_eval.HTML).exists()


def test_checked_samples_are_rows_with_the_very_step_that_is_wrong(trees: Path, tmp_path: Path) -> None:
    with context(tmp_path / "run") as running:
        evaluate.judge(running, asked(trees), None, Threshold(0.5))
        rows = {(row.problem, row.label == -1): row for row in read(running.run.stage("judge/checked").path / ROWS)}
    assert len(rows) == 24
    for problem in PROBLEMS:
        right, wrong = rows[problem.question, True], rows[problem.question, False]
        assert (right.final_answer_correct, right.generator) == (True, "a policy")
        assert (wrong.label, wrong.final_answer_correct) == (first_mistake(problem), False)
        assert right.steps[-2].endswith(f"<output>{problem.answer}<end_of_output>")


def test_a_second_start_asks_no_engine_and_another_judge_is_refused(trees: Path, tmp_path: Path) -> None:
    root = tmp_path / "run"
    with context(root) as running:
        evaluate.judge(running, asked(trees, limit=4), None, Threshold())
    first, requests = json.loads((root / RESULT).read_text()), KnowingRewardModel.asked
    assert requests == 8  # the two finished solutions of four problems
    with context(root) as running:
        evaluate.judge(running, asked(trees, limit=4), None, Threshold())
    assert json.loads((root / RESULT).read_text()) == first
    assert KnowingRewardModel.asked == requests
    asked(trees, limit=4).check(root)
    with pytest.raises(UserError, match=r'judge/scores was made from something else: model .*"/judges/other"'):
        asked(trees, Path("/judges/other"), limit=4).check(root)
    with pytest.raises(UserError, match="limit 4 -> null"):
        asked(trees).check(root)


def test_samples_of_one_kind_have_curves_and_no_steps(tmp_path: Path) -> None:
    trees = store_trees(tmp_path / "trees", [tree(problem, 2, 0, 0) for problem in PROBLEMS[:3]])
    with context(tmp_path / "run") as running:
        evaluate.judge(running, asked(trees), None, Threshold(0.5))
        said = running.progress.console.file.getvalue()  # type: ignore[attr-defined]
    found = json.loads((tmp_path / "run" / RESULT).read_text())
    assert found["steps"] is None and found["threshold"] == ""
    assert means(found["curves"]["methods"], "last") == [1.0, 1.0]
    assert "steps are not measured: accuracies of a judge of steps: 0 solutions with a wrong step and 3 without" in said


@pytest.mark.parametrize(
    ("source", "message"),
    [("curriculum/worked", "executor.require is strict"), ("gsm8k", "only the curriculum's can be checked")],
)
def test_curves_stand_where_steps_cannot_be_checked(tmp_path: Path, source: str, message: str) -> None:
    grown = tree(replace(PROBLEMS[0], source=source), 1, 1, 0)
    trees = store_trees(tmp_path / "trees", [grown])
    with context(tmp_path / "run", require=Tier.STRICT) as running:
        found = evaluate.judge(running, asked(trees), None, Threshold(0.5))
        said = running.progress.console.file.getvalue()  # type: ignore[attr-defined]
    assert found.steps is None and f"steps are not measured: {message}" in said
    assert found.curves is not None and [one.mean for one in found.curves.methods["last"]] == [0.5, 1.0]


def row(problem: str, steps: tuple[str, ...], label: int) -> ProcessRow:
    return ProcessRow(problem, "m", problem, steps, label < 0, label)


ROWS_OF_FILE = (
    row("a", ("good<end_of_step>", "x + 1<end_of_step>", "more<end_of_step>"), 1),
    row("b", ("x + 1<end_of_step>", "more<end_of_step>"), 1),
    row("c", ("good<end_of_step>",), -1),
)
CHOOSING = (row("a", ("x + 1<end_of_step>",), -1), row("d", ("x + 1<end_of_step>",), 0), row("e", ("good",), -1))


def test_the_steps_of_a_file_are_judged_with_a_threshold_from_another(tmp_path: Path) -> None:
    chosen = Threshold(rows=CHOOSING, source="/other.jsonl")
    with context(tmp_path / "run") as running:
        evaluate.judge_file(running, MODEL, RewardModelKind.PPM, Path("/bench.jsonl"), ROWS_OF_FILE, chosen)
        stage = running.run.stage("judge/steps")
    assert json.loads((stage.path / "given.json").read_text()) == rows_given(MODEL, "/bench.jsonl", ROWS_OF_FILE)
    found = json.loads((tmp_path / "run" / RESULT).read_text())
    assert found["curves"] is None
    assert found["threshold"] == "chosen on /other.jsonl"
    # "b" is found wrong one step too early. Its own problem in the other file would have asked for a threshold below LOW.
    assert found["steps"]["threshold"] == pytest.approx((HIGH + LOW) / 2)
    assert (found["steps"]["erroneous"]["mean"], found["steps"]["right"]["mean"]) == (0.5, 1.0)
    assert found["steps"]["f1"]["mean"] == pytest.approx(2 / 3)


def test_a_threshold_is_never_chosen_on_a_measured_problem() -> None:
    rows = [row(f"p{number}", ("x",), number % 2 - 1) for number in range(40)]
    # Problems that choose are told apart by 0.2 and 0.4, the others by 0.6 and 0.8: chosen on the former, all fail.
    first = [threshold.chooses(one, 0.3) for one in rows]
    judged = [
        JudgedSteps(one.label, ((0.2 if chosen else 0.6) + (0.2 if one.label else 0.0),))
        for one, chosen in zip(rows, first, strict=True)
    ]
    found = measured(rows, judged, Threshold(), [])
    assert found.threshold == pytest.approx(0.3)
    assert found.f1.n == 40 - sum(first)
    assert (found.erroneous.mean, found.right.mean) == (0.0, 1.0)


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        (Threshold(), "the problems that are measured: 0 solutions with a wrong step and 0 without"),
        (Threshold(rows=CHOOSING[:1], source="f"), "f, without problems that are measured: 0 solutions"),
    ],
)
def test_rows_that_cannot_choose_are_refused_before_anything_starts(wanted: Threshold, message: str) -> None:
    with pytest.raises(UserError, match=message):
        threshold.check(ROWS_OF_FILE[::2], wanted)
    threshold.check(ROWS_OF_FILE, Threshold(0.5))
    threshold.check(ROWS_OF_FILE, Threshold(rows=CHOOSING, source="f"))
    with pytest.raises(UserError, match="the solutions that are measured: 2 solutions with a wrong step and 0 without"):
        threshold.check(ROWS_OF_FILE[:2], Threshold(0.5))


def test_samples_are_drawn_blind_and_a_problem_without_a_tree_is_wrong(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plans: list[SearchPlan] = []

    def run(searchers: SearchRunner, plan: SearchPlan, directory: Path) -> SearchReport:
        plans.append(plan)
        store_trees(directory, [tree(problem, 2, 2, 0) for problem in plan.problems[:3]])
        return report(directory, {plan.problems[3].id: "its worker died"})

    monkeypatch.setattr(SearchRunner, "run", run)
    wanted = RewardEvalRequest(
        "judge", MODEL, RewardModelKind.PPM, Aggregation.LAST, "heldout", PROBLEMS[:4], policy=Path("/policy")
    )
    for _ in range(2):
        with context(tmp_path / "run") as running:
            evaluate.judge(running, wanted, ModelRef("policy", "/policy"), Threshold(0.5))
    (plan,) = plans
    assert (plan.blind, plan.reward_model, plan.policy.path) == (True, None, "/policy")
    assert (plan.config.strategy, plan.config.candidates, plan.config.temperature) == ("samples", 8, 0.7)
    found = json.loads((tmp_path / "run" / RESULT).read_text())
    assert (found["source"], found["curves"]["problems"]) == ("heldout problems", 4)
    assert means(found["curves"]["methods"], "last") == [0.375, 0.625, 0.75, 0.75]  # 3/4 of 1/2, 5/6, 1, 1
    assert found["curves"]["generated"] == 75.0
    wanted.check(tmp_path / "run")
    with pytest.raises(UserError, match=r'judge/samples was made .* problems "4 of heldout, \w+" -> "3 of heldout'):
        replace(wanted, problems=PROBLEMS[:3]).check(tmp_path / "run")
