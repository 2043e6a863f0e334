"""A round's stages by method: what is searched, harvested and learnt from. Scripted searches and training, no Ray."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from actors.engines.manager import EngineManager
from cluster.evaluation import evaluate
from cluster.run.models import model_ref
from cluster.searches.runner import SearchPlan, SearchRunner
from search.data import Problem, StepLabels, Trajectory
from search.prompts import hint
from search.tree import Tree
from tests.cluster.evolution.scripted_rounds import (
    POLICY,
    TRAIN,
    Script,
    all_wrong,
    facts,
    graded,
    mixed,
    play,
    read,
    running,
)
from tests.cluster.reward_eval.judged_samples import KnowingRewardModel, first_mistake, tree, wrong
from tests.train.labels.prm800k_rows import FIRST_PHASE, SECOND_PHASE, write


def test_rstar_math_is_the_default_with_the_stages_and_facts_it_always_had(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script, root = Script(monkeypatch, mixed), tmp_path / "run"
    with running(root, rounds=[{}]) as context:
        policy, reward_model = play(context, policy=POLICY)
    assert policy == model_ref("policy", root / "rounds/r1/train_policy/model", 1)
    assert reward_model == model_ref("reward_model", root / "rounds/r1/train_reward_model/model", 1)
    assert {name: (task.objective, str(task.init), task.data[0].name) for name, task in script.tasks.items()} == {
        "policy": ("sft", "/base", "trajectories.jsonl"),
        "reward_model": ("ppm", str(root / "rounds/r1/train_policy/model"), "pairs.jsonl"),
    }
    assert sorted(path.name for path in (root / "rounds/r1").iterdir()) == [
        "harvest", "search", "train_policy", "train_reward_model",
    ]  # fmt: skip
    found = facts(root, "r1/harvest")
    assert set(found) == {"counts", "seconds", "finished"}
    assert (found["counts"]["trajectories"], found["counts"]["solved"]) == (2, 2)
    assert facts(root, "r1/search")["solved"] == 2


PRM = {"rule": "checked_labels", "reward": {"objective": "prm"}}


def test_the_curriculums_check_stands_in_for_people(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Script(monkeypatch, mixed)
    with running(tmp_path / "run", method=PRM, rounds=[{}]) as context:
        play(context)
    found = read(tmp_path / "run", StepLabels, "step_labels.jsonl")
    wrongs = {one.problem.id: one.labels.index(-1.0) for one in found if -1.0 in one.labels}
    assert wrongs == {problem.id: first_mistake(problem) for problem in TRAIN}
    assert len(found) == 5  # two problems have a right solution as well
    assert [one.correct for one in read(tmp_path / "run", Trajectory, "outcomes.jsonl")].count(True) == 2


def test_labels_by_people_take_its_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Script(monkeypatch, mixed)
    file = write(tmp_path / "phase.jsonl", FIRST_PHASE, SECOND_PHASE)
    with running(tmp_path / "run", method={**PRM, "labels": str(file)}, rounds=[{}]) as context:
        play(context)
    assert {one.problem.question for one in read(tmp_path / "run", StepLabels, "step_labels.jsonl")} == {"How many?"}
    assert facts(tmp_path / "run", "r1/harvest")["counts"]["rows"] == 2


def test_a_method_without_a_reward_model_trains_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script, root = Script(monkeypatch, mixed), tmp_path / "run"
    with running(root, method={"rule": "expert_iteration"}, rounds=[{}]) as context:
        policy, reward_model = play(context, policy=POLICY)
    assert (policy is not None, reward_model) == (True, None)
    assert (script.tasks["policy"].objective, str(script.tasks["policy"].init)) == ("sft", "/base")
    assert [one.problem for one in read(root, Trajectory, "trajectories.jsonl")] == list(TRAIN[:2])


def test_a_rule_over_this_rounds_trees_leaves_those_before_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = Script(monkeypatch, mixed)
    for rule, expected in (("expert_iteration", 0), ("vstar", 2)):
        script.grow = mixed
        root = tmp_path / rule
        with running(root, method={"rule": rule}, rounds=[{}, {}]) as context:
            play(context)
            script.grow = all_wrong
            play(context, 2)
        assert len(read(root, Trajectory, "trajectories.jsonl", 2)) == expected, rule
    assert facts(root, "r2/train_policy")["samples"] == 3


def test_nothing_to_learn_ends_the_stage_with_the_rules_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script, root = Script(monkeypatch, all_wrong), tmp_path / "run"
    with running(root, method={"rule": "vstar"}, rounds=[{}]) as context:
        assert play(context) == (None, None)
        said = context.progress.console.file.getvalue()  # type: ignore[attr-defined]
    assert script.tasks == {}
    no_right = "no solution is right: of 3 problems 3 are all wrong, 0 without a graded solution"
    assert facts(root, "r1/train_policy")["skipped"] == no_right
    assert facts(root, "r1/train_reward_model")["skipped"].startswith(
        "no problem has both a right and a wrong solution"
    )
    assert f"no new policy: {no_right}" in " ".join(said.split())


def test_labels_teach_a_reward_model_and_no_policy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for objective, file in (("prm", "step_labels.jsonl"), ("orm", "outcomes.jsonl")):
        script, root = Script(monkeypatch, mixed), tmp_path / objective
        method = {"rule": "hard_labels", "reward": {"objective": objective}}
        with running(root, method=method, rounds=[{}]) as context:
            policy, reward = play(context, policy=POLICY)
        assert (policy, reward is not None, list(script.tasks)) == (None, True, ["reward_model"])
        task = script.tasks["reward_model"]
        assert (task.objective, str(task.init), task.data[0].name) == (objective, "/second round", file)
        assert sum(one.correct for one in read(root, Trajectory, "outcomes.jsonl")) == 2
        assert {label for one in read(root, StepLabels, "step_labels.jsonl") for label in one.labels} >= {1, -1}


def test_labels_that_all_say_the_same_train_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script, root = Script(monkeypatch, all_wrong), tmp_path / "run"
    method = {"rule": "hard_labels", "reward": {"objective": "prm"}}
    with running(root, method=method, rounds=[{}]) as context:
        assert play(context) == (None, None)
    assert script.tasks == {}
    assert "nothing to tell apart" in facts(root, "r1/train_reward_model")["skipped"]


def test_star_tries_what_failed_again_with_the_answer_given_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def helped(plan: SearchPlan, problem: Problem) -> Tree:
        return mixed(plan, problem) if problem in TRAIN else graded(plan, tree(problem, 1, 0, 0))

    script, root = Script(monkeypatch, helped), tmp_path / "run"
    with running(root, method={"rule": "star"}, rounds=[{}]) as context:
        play(context, policy=POLICY)
    first, second = script.plans
    assert first.problems == TRAIN
    assert [problem.question for problem in second.problems] == [hint(TRAIN[2].question, TRAIN[2].answer)]
    found = read(root, Trajectory, "trajectories.jsonl")
    assert [one.problem for one in found] == list(TRAIN)  # the bare question, the hint taken out
    assert facts(root, "r1/harvest")["counts"]["rationalised"] == 1
    assert facts(root, "r1/search")["solved"] == 2 and "solved" not in facts(root, "r1/search_hinted")
    assert str(script.tasks["policy"].init) == "/base"


def test_a_strategy_that_asks_a_second_policy_gets_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = Script(monkeypatch, mixed)
    for number, (wanted, strategy, expected) in enumerate(
        (
            ("base", "rstar", model_ref("second", "/base", 0)),
            ("policy", "rstar", POLICY),
            ("/other", "rstar", model_ref("second", "/other", 0)),
            ("base", "samples", None),
            (None, "rstar", None),
        )
    ):
        with running(tmp_path / str(number), second=wanted, rounds=[{"strategy": strategy}]) as context:
            play(context, policy=POLICY)
        assert script.plans[-1].second == expected
        assert script.plans[-1].models == tuple(dict.fromkeys(ref for ref in (POLICY, expected) if ref))


@pytest.mark.parametrize("how", ["last", "mean", "min"])
def test_another_reward_model_scores_the_same_samples_by_the_same_aggregation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    """The scripted logit is 2 before a mistake and -2 from it on; an ORM's value is tanh(logit / 2)."""
    monkeypatch.setattr(EngineManager, "reward_model", lambda *_: [])
    monkeypatch.setattr(evaluate, "RewardModelPool", KnowingRewardModel)
    model = tmp_path / "orm"
    model.mkdir()
    (model / "config.json").write_text(json.dumps({"id2label": {"0": "right"}}))
    grown = tree(TRAIN[0], 1, 1, 1)
    with running(tmp_path / "run", evaluation={"search": {"aggregate": how}}) as context:
        found = evaluate.rescore(context, SearchRunner(context), model_ref("reward_model", model, 1), [grown])
    value, before, many = math.tanh(1.0), first_mistake(TRAIN[0]), len(wrong(TRAIN[0]))
    expected = value * (2 * before - many) / many if how == "mean" else -value
    assert list(found[TRAIN[0].id].values()) == pytest.approx([value, expected])
