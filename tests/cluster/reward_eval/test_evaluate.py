"""Evaluate a scripted reward model on stored samples and on files of steps, from trees to tables."""

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
from cluster.reward_eval.first_error import PROCESS_ROWS
from cluster.reward_eval.request import REWARD_EVAL, RewardEvalRequest, rows_inputs
from cluster.reward_eval.threshold import Threshold, measure
from cluster.searches.result import SearchResult, summarise_trees
from cluster.searches.runner import SearchPlan, SearchRunner
from search.data import Aggregation, ModelRef
from search.errors import UserError
from search.evaluation.confidence import wilson
from search.evaluation.process_bench import ProcessRow, ScoredSteps, read_rows
from search.reward_models import RewardModelKind, probability
from tests.cluster.reward_eval.stored_samples import (
    PROBLEMS,
    context,
    first_incorrect_step,
    patch_reward_model,
    sample_tree,
    store_trees,
)
from tests.fakes.reward_model import ScriptedRewardModel

MODEL = Path("/models/reward_model")
HIGH, LOW = probability(2.0, RewardModelKind.PPM), probability(-2.0, RewardModelKind.PPM)


@pytest.fixture(autouse=True)
def scripted(monkeypatch: pytest.MonkeyPatch) -> ScriptedRewardModel:
    """Replace engines: a pool is a reward model that knows the mistakes."""
    monkeypatch.setattr(EngineManager, "handles", lambda *_: [])
    return patch_reward_model(monkeypatch, step_scores)


@pytest.fixture
def trees(tmp_path: Path) -> Path:
    """Store of each problem one correct sample, two equal incorrect ones, and an unfinished one."""
    return store_trees(tmp_path / "trees", [sample_tree(problem, 1, 2, 1) for problem in PROBLEMS])


def request(trees: Path, model: Path = MODEL, limit: int | None = None) -> RewardEvalRequest:
    return RewardEvalRequest(
        folder=REWARD_EVAL,
        model=model,
        kind=RewardModelKind.PPM,
        aggregation=Aggregation.LAST,
        split="",
        problems=(),
        trees=trees,
        limit=limit,
    )


def means(methods: dict[str, list[dict[str, float]]], name: str) -> list[float]:
    return [round(interval["mean"], 9) for interval in methods[name]]


def test_evaluation_measures_curves_and_checked_steps(trees: Path, tmp_path: Path) -> None:
    root = tmp_path / "run"
    with context(root) as running:
        reward_eval.finish(
            root, evaluate.evaluate_on_samples(running, request(trees), None, Threshold()), running.progress
        )
        output = running.progress.console.file.getvalue()  # type: ignore[attr-defined]
    result = json.loads((root / RESULT).read_text())
    curves = result["curves"]
    assert (curves["problems"], curves["samples"], curves["sizes"], curves["aggregation"]) == (
        12,
        4,
        [1, 2, 3, 4],
        "last",
    )
    # The correct one scores highest wherever it is drawn; the two incorrect ones outvote it.
    for name in ("product", "min", "last", "mean", "weighted", "any"):
        assert means(curves["methods"], name) == [0.25, 0.5, 0.75, 1.0]
    assert means(curves["methods"], "majority") == [0.25, round(2 / 6, 9), 0.25, 0.0]
    interval = wilson(12, 12)
    assert curves["methods"]["last"][3] == {"mean": 1.0, "low": interval.low, "high": 1.0, "n": 12}
    assert curves["generated_tokens"] == 100.0
    assert result["steps"]["threshold"] == pytest.approx((HIGH + LOW) / 2)
    assert result["steps"]["f1"]["mean"] == 1.0
    assert 12 <= result["steps"]["f1"]["n"] < 24  # the other problems chose the threshold
    assert "a step counts as incorrect below 0.500 (chosen on 30 % of the problems)" in output
    assert "best by / N" in output and "F1" in output
    assert (root / reward_eval.HTML).exists()


def test_exact_check_rows_name_the_first_incorrect_step(trees: Path, tmp_path: Path) -> None:
    with context(tmp_path / "run") as running:
        evaluate.evaluate_on_samples(running, request(trees), None, Threshold(value=0.5))
        rows = {
            (row.problem, row.label == -1): row
            for row in read_rows(running.run.stage("reward_eval/exact_check").path / PROCESS_ROWS)
        }
    assert len(rows) == 24
    for problem in PROBLEMS:
        correct, incorrect = rows[problem.question, True], rows[problem.question, False]
        assert (correct.final_answer_correct, correct.generator) == (True, "a policy")
        assert (incorrect.label, incorrect.final_answer_correct) == (first_incorrect_step(problem), False)
        assert correct.steps[-2].endswith(f"<output>{problem.answer}<end_of_output>")


def test_second_start_scores_nothing_and_checks_its_inputs(
    trees: Path, tmp_path: Path, scripted: ScriptedRewardModel
) -> None:
    root = tmp_path / "run"
    with context(root) as running:
        evaluate.evaluate_on_samples(running, request(trees, limit=4), None, Threshold())
    first, calls = json.loads((root / RESULT).read_text()), len(scripted.requests)
    assert calls == 8  # the two finished solutions of four problems
    with context(root) as running:
        evaluate.evaluate_on_samples(running, request(trees, limit=4), None, Threshold())
    assert json.loads((root / RESULT).read_text()) == first
    assert len(scripted.requests) == calls
    request(trees, limit=4).check(root)
    with pytest.raises(UserError, match=r'reward_eval/scores was made from something else: model .*"/models/other"'):
        request(trees, Path("/models/other"), limit=4).check(root)
    with pytest.raises(UserError, match="limit 4 -> null"):
        request(trees).check(root)


def test_steps_are_not_measured_when_no_sample_has_an_error(tmp_path: Path) -> None:
    trees = store_trees(tmp_path / "trees", [sample_tree(problem, 2, 0, 0) for problem in PROBLEMS[:3]])
    with context(tmp_path / "run") as running:
        evaluate.evaluate_on_samples(running, request(trees), None, Threshold(value=0.5))
        output = running.progress.console.file.getvalue()  # type: ignore[attr-defined]
    result = json.loads((tmp_path / "run" / RESULT).read_text())
    assert result["steps"] is None and result["threshold"] == ""
    assert means(result["curves"]["methods"], "last") == [1.0, 1.0]
    assert (
        "steps are not measured: accuracies of step scores: 0 solutions with an incorrect step and 3 without" in output
    )


@pytest.mark.parametrize(
    ("source", "message"),
    [("curriculum/worked", "executor.required_tier is strict"), ("gsm8k", "only the curriculum's can be checked")],
)
def test_curves_are_measured_when_steps_cannot_be_checked(tmp_path: Path, source: str, message: str) -> None:
    tree = sample_tree(replace(PROBLEMS[0], source=source), 1, 1, 0)
    trees = store_trees(tmp_path / "trees", [tree])
    with context(tmp_path / "run", required_tier=Tier.STRICT) as running:
        evaluation = evaluate.evaluate_on_samples(running, request(trees), None, Threshold(value=0.5))
        output = running.progress.console.file.getvalue()  # type: ignore[attr-defined]
    assert evaluation.steps is None and f"steps are not measured: {message}" in output
    assert evaluation.curves is not None
    assert [interval.mean for interval in evaluation.curves.methods["last"]] == [0.5, 1.0]


def process_row(problem: str, steps: tuple[str, ...], label: int) -> ProcessRow:
    return ProcessRow(
        id=problem, generator="m", problem=problem, steps=steps, final_answer_correct=label < 0, label=label
    )


FILE_ROWS = (
    process_row("a", ("good<end_of_step>", "x + 1<end_of_step>", "more<end_of_step>"), 1),
    process_row("b", ("x + 1<end_of_step>", "more<end_of_step>"), 1),
    process_row("c", ("good<end_of_step>",), -1),
)
THRESHOLD_ROWS = (
    process_row("a", ("x + 1<end_of_step>",), -1),
    process_row("d", ("x + 1<end_of_step>",), 0),
    process_row("e", ("good",), -1),
)


def test_file_is_measured_with_a_threshold_from_another_file(tmp_path: Path) -> None:
    other = Threshold(rows=THRESHOLD_ROWS, source="/other.jsonl")
    with context(tmp_path / "run") as running:
        evaluate.evaluate_on_file(running, MODEL, RewardModelKind.PPM, Path("/bench.jsonl"), FILE_ROWS, other)
        stage = running.run.stage("reward_eval/steps")
    assert json.loads((stage.path / "inputs.json").read_text()) == rows_inputs(
        MODEL, RewardModelKind.PPM, "/bench.jsonl", FILE_ROWS
    )
    result = json.loads((tmp_path / "run" / RESULT).read_text())
    assert result["curves"] is None
    assert result["threshold"] == "chosen on /other.jsonl"
    # The error of "b" is predicted one step too early. Problem "a" is left out of
    # the other file: its row there would need a threshold below LOW.
    assert result["steps"]["threshold"] == pytest.approx((HIGH + LOW) / 2)
    assert (result["steps"]["erroneous"]["mean"], result["steps"]["correct"]["mean"]) == (0.5, 1.0)
    assert result["steps"]["f1"]["mean"] == pytest.approx(2 / 3)


def test_threshold_is_chosen_on_unmeasured_problems() -> None:
    rows = [process_row(f"p{number}", ("x",), number % 2 - 1) for number in range(40)]
    # The problems that choose score 0.2 and 0.4, the others 0.6 and 0.8: the threshold of the former fails all others.
    is_tuning = [threshold.is_for_threshold(row, 0.3) for row in rows]
    scores = [
        ScoredSteps(row.label, ((0.2 if tuning else 0.6) + (0.2 if row.label else 0.0),))
        for row, tuning in zip(rows, is_tuning, strict=True)
    ]
    score = measure(rows, scores, Threshold(), [])
    assert score.threshold == pytest.approx(0.3)
    assert score.f1.n == 40 - sum(is_tuning)
    assert (score.erroneous.mean, score.correct.mean) == (0.0, 1.0)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (Threshold(), "the problems that are measured: 0 solutions with an incorrect step and 0 without"),
        (Threshold(rows=THRESHOLD_ROWS[:1], source="f"), "f, without problems that are measured: 0 solutions"),
    ],
)
def test_check_refuses_rows_without_both_kinds(spec: Threshold, message: str) -> None:
    with pytest.raises(UserError, match=message):
        threshold.check(FILE_ROWS[::2], spec)
    threshold.check(FILE_ROWS, Threshold(value=0.5))
    threshold.check(FILE_ROWS, Threshold(rows=THRESHOLD_ROWS, source="f"))
    with pytest.raises(
        UserError, match="the solutions that are measured: 2 solutions with an incorrect step and 0 without"
    ):
        threshold.check(FILE_ROWS[:2], Threshold(value=0.5))


def test_samples_are_drawn_blind_and_missing_trees_are_incorrect(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plans: list[SearchPlan] = []

    def run(_: SearchRunner, plan: SearchPlan, directory: Path) -> SearchResult:
        plans.append(plan)
        store_trees(directory, [sample_tree(problem, 2, 2, 0) for problem in plan.problems[:3]])
        return summarise_trees(directory, {(plan.problems[3].id, 0): "its worker died"})

    monkeypatch.setattr(SearchRunner, "run", run)
    drawn = RewardEvalRequest(
        folder=REWARD_EVAL,
        model=MODEL,
        kind=RewardModelKind.PPM,
        aggregation=Aggregation.LAST,
        split="heldout",
        problems=PROBLEMS[:4],
        policy=Path("/policy"),
    )
    for _ in range(2):
        with context(tmp_path / "run") as running:
            evaluate.evaluate_on_samples(running, drawn, ModelRef("policy", "/policy"), Threshold(value=0.5))
    (plan,) = plans
    assert plan.seed == ("judge", "heldout")
    assert (plan.blind, plan.reward_model, plan.policy.path) == (True, None, "/policy")
    assert (plan.config.strategy, plan.config.candidates, plan.config.temperature) == ("sampling", 8, 0.7)
    result = json.loads((tmp_path / "run" / RESULT).read_text())
    assert (result["source"], result["curves"]["problems"]) == ("heldout problems", 4)
    assert means(result["curves"]["methods"], "last") == [0.375, 0.625, 0.75, 0.75]  # 3/4 of 1/2, 5/6, 1, 1
    assert result["curves"]["generated_tokens"] == 75.0
    drawn.check(tmp_path / "run")
    with pytest.raises(
        UserError, match=r'reward_eval/samples was made .* problems "4 of heldout, \w+" -> "3 of heldout'
    ):
        replace(drawn, problems=PROBLEMS[:3]).check(tmp_path / "run")
