"""The stages of a round for each method, with scripted searches and training."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest

from actors.engines.manager import EngineManager
from cluster.evaluation import evaluate
from cluster.run.models import model_ref
from cluster.searches import runner
from cluster.searches.runner import SearchPlan, SearchRunner
from search.data import Problem, Step, StepLabels, StepStatus, Trajectory
from search.formats.model_prompt import ModelPrompt
from search.formats.requests import hint_request
from search.tree import Tree
from tests.cluster.evolution.scripted_rounds import (
    BASE,
    POLICY,
    TRAIN,
    Script,
    all_incorrect,
    facts,
    graded,
    mixed,
    read,
    run_to_training,
    running,
)
from tests.cluster.reward_eval.stored_samples import (
    first_incorrect_step,
    incorrect_steps,
    patch_reward_model,
    sample_tree,
)
from tests.fakes.tiny_model import make_empty_model
from tests.train.labels.prm800k_rows import FIRST_PHASE, SECOND_PHASE, write


def test_default_method_is_rstar_math(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script, root = Script(monkeypatch, mixed), tmp_path / "run"
    with running(root, rounds=[{}]) as context:
        policy, reward_model = run_to_training(context, policy=POLICY)
    assert policy == model_ref("policy", root / "rounds/r1/train_policy/model", 1)
    assert reward_model == model_ref("reward_model", root / "rounds/r1/train_reward_model/model", 1)
    assert {
        name: (task.objective, str(task.initial_model), task.data[0].name) for name, task in script.tasks.items()
    } == {
        "policy": ("sft", "/base", "trajectories.jsonl"),
        "reward_model": ("ppm", str(root / "rounds/r1/train_policy/model"), "pairs.jsonl"),
    }
    assert sorted(path.name for path in (root / "rounds/r1").iterdir()) == [
        "harvest", "search", "train_policy", "train_reward_model",
    ]  # fmt: skip
    harvest = facts(root, "r1/harvest")
    assert set(harvest) == {"counts", "seconds", "finished"}
    assert (harvest["counts"]["trajectories"], harvest["counts"]["solved"]) == (2, 2)
    assert facts(root, "r1/search")["solved"] == 2


def test_models_are_trained_without_worked_examples(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = Script(monkeypatch, mixed)
    with running(tmp_path / "run", shots=("one",), policy={"format": "code"}, rounds=[{}]) as context:
        run_to_training(context)
    assert {name: task.prompt for name, task in script.tasks.items()} == {
        "policy": ModelPrompt(format="code"),
        "reward_model": ModelPrompt(format="code"),
    }


PRM = {"rule": "checked_labels", "reward_model": {"objective": "prm"}}


def test_checked_labels_come_from_the_curriculum_by_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Script(monkeypatch, mixed)
    with running(tmp_path / "run", method=PRM, rounds=[{}]) as context:
        run_to_training(context)
    records = read(tmp_path / "run", StepLabels, "step_labels.jsonl")
    first_errors = {record.problem.id: record.labels.index(-1.0) for record in records if -1.0 in record.labels}
    assert first_errors == {problem.id: first_incorrect_step(problem) for problem in TRAIN}
    assert len(records) == 5  # two problems have a correct solution as well
    assert [outcome.correct for outcome in read(tmp_path / "run", Trajectory, "outcomes.jsonl")].count(True) == 2


def test_checked_labels_come_from_a_file_when_one_is_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Script(monkeypatch, mixed)
    file = write(tmp_path / "phase.jsonl", FIRST_PHASE, SECOND_PHASE)
    with running(tmp_path / "run", method={**PRM, "labels": str(file)}, rounds=[{}]) as context:
        run_to_training(context)
    assert {record.problem.question for record in read(tmp_path / "run", StepLabels, "step_labels.jsonl")} == {
        "How many?"
    }
    assert facts(tmp_path / "run", "r1/harvest")["counts"]["rows"] == 2


def test_method_without_a_reward_model_trains_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script, root = Script(monkeypatch, mixed), tmp_path / "run"
    with running(root, method={"rule": "expert_iteration"}, rounds=[{}]) as context:
        policy, reward_model = run_to_training(context, policy=POLICY)
    assert (policy is not None, reward_model) == (True, None)
    assert (script.tasks["policy"].objective, str(script.tasks["policy"].initial_model)) == ("sft", "/base")
    assert [solution.problem for solution in read(root, Trajectory, "trajectories.jsonl")] == list(TRAIN[:2])


def test_rule_reads_earlier_rounds_only_when_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = Script(monkeypatch, mixed)
    for rule, expected in (("expert_iteration", 0), ("vstar", 2)):
        script.grow = mixed
        root = tmp_path / rule
        with running(root, method={"rule": rule}, rounds=[{}, {}]) as context:
            run_to_training(context)
            script.grow = all_incorrect
            run_to_training(context, 2)
        assert len(read(root, Trajectory, "trajectories.jsonl", 2)) == expected, rule
    assert facts(root, "r2/train_policy")["samples"] == 3


def quick_for_the_first(plan: SearchPlan, problem: Problem) -> Tree:
    """Return a correct answer at once for the first problem, only an incorrect one for the others."""
    if problem != TRAIN[0]:
        return all_incorrect(plan, problem)
    tree = Tree(problem, strategy="mcts")
    tree.add(0, Step("quick", status=StepStatus.FINAL, answer=problem.answer), visits=1, value_sum=1.0)
    return graded(plan, tree)


def test_trajectories_are_of_the_latest_round_that_solved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = Script(monkeypatch, mixed)
    kept = {}
    for rounds in ("latest", "all"):
        script.grow = mixed
        root, options = tmp_path / rounds, {"rounds": rounds, "pairs_from": "reward_model_rounds"}
        with running(root, method={"options": options}, rounds=[{}, {"values": "reward_model"}]) as context:
            run_to_training(context)
            script.grow = quick_for_the_first
            run_to_training(context, 2)
        solutions = read(root, Trajectory, "trajectories.jsonl", 2)
        kept[rounds] = [(solution.problem, len(solution.steps) == 1) for solution in solutions]
        counts = facts(root, "r2/harvest")["counts"]
        assert (counts["trees_without_pairs"], counts["step_pairs"] + counts["answer_pairs"]) == (3, 0)
    assert kept["latest"] == [(TRAIN[0], True), (TRAIN[1], False)]
    assert kept["all"] == [(TRAIN[0], True), (TRAIN[0], False), (TRAIN[1], False)]


def test_training_is_skipped_with_the_reason_of_the_rule(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script, root = Script(monkeypatch, all_incorrect), tmp_path / "run"
    with running(root, method={"rule": "vstar"}, rounds=[{}]) as context:
        assert run_to_training(context) == (None, None)
        log = context.progress.console.file.getvalue()  # type: ignore[attr-defined]
    assert script.tasks == {}
    reason = "no solution is correct: of 3 problems 3 are all incorrect, 0 without a graded solution"
    assert facts(root, "r1/train_policy")["skipped"] == reason
    assert facts(root, "r1/train_reward_model")["skipped"].startswith(
        "no problem has both a correct and an incorrect solution"
    )
    assert f"no new policy: {reason}" in " ".join(log.split())


def test_step_labels_train_a_reward_model_and_no_policy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for objective, file in (("prm", "step_labels.jsonl"), ("orm", "outcomes.jsonl")):
        script, root = Script(monkeypatch, mixed), tmp_path / objective
        method = {"rule": "hard_labels", "reward_model": {"objective": objective}}
        with running(root, method=method, rounds=[{}]) as context:
            policy, reward = run_to_training(context, policy=POLICY)
        assert (policy, reward is not None, list(script.tasks)) == (None, True, ["reward_model"])
        task = script.tasks["reward_model"]
        assert (task.objective, str(task.initial_model), task.data[0].name) == (objective, "/second round", file)
        assert sum(outcome.correct for outcome in read(root, Trajectory, "outcomes.jsonl")) == 2
        assert {label for record in read(root, StepLabels, "step_labels.jsonl") for label in record.labels} >= {1, -1}


def test_training_is_skipped_when_all_labels_are_equal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script, root = Script(monkeypatch, all_incorrect), tmp_path / "run"
    method = {"rule": "hard_labels", "reward_model": {"objective": "prm"}}
    with running(root, method=method, rounds=[{}]) as context:
        assert run_to_training(context) == (None, None)
    assert script.tasks == {}
    assert "nothing to tell apart" in facts(root, "r1/train_reward_model")["skipped"]


def test_star_searches_failed_problems_with_a_hint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def solved_with_hint(plan: SearchPlan, problem: Problem) -> Tree:
        return mixed(plan, problem) if problem in TRAIN else graded(plan, sample_tree(problem, 1, 0, 0))

    script, root = Script(monkeypatch, solved_with_hint), tmp_path / "run"
    with running(root, method={"rule": "star"}, rounds=[{}]) as context:
        run_to_training(context, policy=POLICY)
    first, second = script.plans
    assert first.problems == TRAIN
    assert second.problems == (replace(TRAIN[2], request=hint_request(TRAIN[2].answer)),)
    solutions = read(root, Trajectory, "trajectories.jsonl")
    assert [solution.problem for solution in solutions] == list(TRAIN)  # the bare question, the hint taken out
    assert facts(root, "r1/harvest")["counts"]["rationalised"] == 1
    assert facts(root, "r1/search")["solved"] == 2 and "solved" not in facts(root, "r1/search_hinted")
    assert str(script.tasks["policy"].initial_model) == "/base"


def test_second_policy_goes_to_strategies_that_use_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = Script(monkeypatch, mixed)
    for number, (setting, strategy, expected) in enumerate(
        (
            ("base", "rstar", model_ref("second_policy", "/base", 0)),
            ("policy", "rstar", POLICY),
            ("/other", "rstar", model_ref("second_policy", "/other", 0)),
            ("base", "sampling", None),
            (None, "rstar", None),
        )
    ):
        with running(
            tmp_path / str(number), second_policy=setting, rounds=[{"search": {"strategy": strategy}}]
        ) as context:
            run_to_training(context, policy=POLICY)
        assert script.plans[-1].further.get("second_policy") == expected
        assert script.plans[-1].models == tuple(dict.fromkeys(ref for ref in (POLICY, expected) if ref))


@pytest.mark.parametrize("aggregation", ["last", "mean", "min"])
def test_terminals_are_scored_by_the_aggregation_of_the_search(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, aggregation: str
) -> None:
    """The scripted logit is 2 before the mistake and -2 from it on. An ORM's value is tanh(logit / 2)."""
    monkeypatch.setattr(EngineManager, "handles", lambda *_: [])
    patch_reward_model(monkeypatch, runner)
    model = make_empty_model(tmp_path / "orm", labels=["correct"])
    tree = sample_tree(TRAIN[0], 1, 1, 1)
    with running(tmp_path / "run", evaluation={"search": {"step_aggregation": aggregation}}) as context:
        ranks = evaluate.rank_terminals(
            context, SearchRunner(context), model_ref("reward_model", model, 1), [tree], BASE
        )
    value, steps_before, steps = math.tanh(1.0), first_incorrect_step(TRAIN[0]), len(incorrect_steps(TRAIN[0]))
    expected = value * (2 * steps_before - steps) / steps if aggregation == "mean" else -value
    values = [math.tanh(rank[0] / 2) for rank in ranks[TRAIN[0].id].values()]
    assert values == pytest.approx([value, expected])
