"""A round's stages by method: what is searched, harvested and learnt from. Scripted searches and training, no Ray."""

from __future__ import annotations

import io
import json
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from actors.fleet import Fleet
from cluster import evaluate
from cluster import round as rounds
from cluster.config import RunConfig
from cluster.context import Context
from cluster.lineage import Models, model_ref
from cluster.progress import Progress
from cluster.round import Round
from cluster.run_dir import open_run
from cluster.searching import Searchers, SearchPlan, SearchReport, report
from cluster.session import Session
from search.grading import grader
from search.problems import ProblemSets
from search.tree import ROOT, Tree
from search.types import ModelRef, PreferencePair, Problem, Step, StepLabels, StepStatus, Trajectory
from search.wording import hint, read_mark
from tests.cluster.judged_samples import PROBLEMS, KnowingScorer, first_mistake, store_trees, tree, wrong
from tests.train.prm800k_rows import FIRST_PHASE, SECOND_PHASE, write
from train.config import TrainConfig
from train.launch import TrainResult, TrainTask
from train.sources import read_records

TRAIN = PROBLEMS[:3]
BASE, POLICY = model_ref("policy", "/base", 0), model_ref("policy", "/second round", 2)
SAMPLES = {"strategy": "samples", "candidates": 3}
DPO = {"objective": "dpo"}

Grow = Callable[[SearchPlan, Problem], Tree]


def graded(plan: SearchPlan, grown: Tree) -> Tree:
    for node in grown.nodes:
        if node.answer is not None:
            node.correct = grader().grade(grown.problem, node.answer)
            node.score = None if plan.ppm is None else 0.5 if node.correct else -0.5
    return grown


def mixed(plan: SearchPlan, problem: Problem) -> Tree:
    """A right, a wrong and an unfinished sample; of the last problem only a wrong one."""
    return graded(plan, tree(problem, int(problem.id != TRAIN[2].id), 1, int(problem.id != TRAIN[2].id)))


def all_wrong(plan: SearchPlan, problem: Problem) -> Tree:
    return graded(plan, tree(problem, 0, 1, 0))


class Script:
    """Stands in for engines and trainers, and keeps what it was asked."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, grow: Grow) -> None:
        self.plans: list[SearchPlan] = []
        self.tasks: dict[str, TrainTask] = {}
        self.grow = grow
        monkeypatch.setattr(Searchers, "run", lambda _, plan, directory: self.search(plan, directory))
        monkeypatch.setattr(rounds, "fit", self.fit)

    def search(self, plan: SearchPlan, directory: Path) -> SearchReport:
        self.plans.append(plan)
        store_trees(directory, [self.grow(plan, problem) for problem in plan.problems])
        return report(directory, {})

    def fit(self, config: TrainConfig, task: TrainTask, progress: object) -> TrainResult:
        assert all(file.is_file() for file in task.data)
        self.tasks[task.name] = task
        return TrainResult(task.output, 1, 1, 0.5, {}, 3, {}, 100, 1.0, 1.0)


@contextmanager
def running(root: Path, **fields: Any) -> Iterator[Context]:
    config = RunConfig.model_validate(
        {"name": "r", "problems": {"train": {"name": "curriculum", "count": 2}}, "search": SAMPLES, **fields}
    )
    ray = Session("", False, None, 1, 0)
    with open_run(root, config.resolved(), seed=0, command="test") as run, Progress(stream=io.StringIO()) as progress:
        yield Context(config, ProblemSets(TRAIN, (), {}), (), run, ray, progress)


def play(
    context: Context, number: int = 1, policy: ModelRef = BASE, ppm: ModelRef | None = None
) -> tuple[ModelRef | None, ModelRef | None]:
    """Search, harvest and training of a round; what follows needs engines that measure."""
    one = Round(number, context.config.rounds[number - 1], context, Searchers(context))
    models = Models(BASE, policy, ppm)
    one.search(models)
    one.search_hinted(models)
    one.mark(models)
    one.harvest()
    return one.learn(models)


def facts(root: Path, stage: str) -> dict[str, Any]:
    return json.loads((root / "rounds" / stage / "done.json").read_text())  # type: ignore[no-any-return]


def read(root: Path, cls: type, name: str, number: int = 1) -> list[Any]:
    return list(read_records(cls, [root / "rounds" / f"r{number}" / "harvest" / name]))


def test_rstar_math_is_the_default_with_the_stages_and_facts_it_always_had(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script, root = Script(monkeypatch, mixed), tmp_path / "run"
    with running(root, rounds=[{}]) as context:
        policy, ppm = play(context, policy=POLICY)
    assert policy == model_ref("policy", root / "rounds/r1/train_policy/model", 1)
    assert ppm == model_ref("ppm", root / "rounds/r1/train_ppm/model", 1)
    assert {name: (task.objective, str(task.init), task.data[0].name) for name, task in script.tasks.items()} == {
        "policy": ("sft", "/base", "trajectories.jsonl"),
        "ppm": ("ppm", str(root / "rounds/r1/train_policy/model"), "pairs.jsonl"),
    }
    assert sorted(path.name for path in (root / "rounds/r1").iterdir()) == [
        "harvest", "search", "train_policy", "train_ppm",
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
        policy, ppm = play(context, policy=POLICY)
    assert (policy is not None, ppm) == (True, None)
    assert (script.tasks["policy"].objective, str(script.tasks["policy"].init)) == ("sft", "/base")
    assert [one.problem for one in read(root, Trajectory, "trajectories.jsonl")] == list(TRAIN[:2])


def test_dpo_starts_from_the_policy_that_drew_the_samples(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script, root = Script(monkeypatch, mixed), tmp_path / "run"
    method = {"rule": "irpo", "take": {"pairs": 4}, "policy": {"objective": "dpo_nll"}}
    with running(root, method=method, rounds=[{}]) as context:
        play(context, policy=POLICY)
    assert (script.tasks["policy"].objective, str(script.tasks["policy"].init)) == ("dpo_nll", "/second round")
    pairs = read(root, PreferencePair, "pairs.jsonl")
    assert [pair.problem.id for pair in pairs] == [TRAIN[0].id] * 4 + [TRAIN[1].id] * 4


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
    assert facts(root, "r1/train_ppm")["skipped"].startswith("no problem has both a right and a wrong solution")
    assert f"no new policy: {no_right}" in " ".join(said.split())


def test_labels_teach_a_reward_model_and_no_policy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for objective, file in (("prm", "step_labels.jsonl"), ("orm", "outcomes.jsonl")):
        script, root = Script(monkeypatch, mixed), tmp_path / objective
        method = {"rule": "hard_labels", "reward": {"objective": objective}}
        with running(root, method=method, rounds=[{}]) as context:
            policy, reward = play(context, policy=POLICY)
        assert (policy, reward is not None, list(script.tasks)) == (None, True, ["ppm"])
        task = script.tasks["ppm"]
        assert (task.objective, str(task.init), task.data[0].name) == (objective, "/second round", file)
        assert sum(one.correct for one in read(root, Trajectory, "outcomes.jsonl")) == 2
        assert {label for one in read(root, StepLabels, "step_labels.jsonl") for label in one.labels} >= {1, -1}


def test_labels_that_all_say_the_same_train_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script, root = Script(monkeypatch, all_wrong), tmp_path / "run"
    method = {"rule": "hard_labels", "reward": {"objective": "prm"}}
    with running(root, method=method, rounds=[{}]) as context:
        assert play(context) == (None, None)
    assert script.tasks == {}
    assert "nothing to tell apart" in facts(root, "r1/train_ppm")["skipped"]


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


def test_spin_sets_the_worked_solution_against_every_sample(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script, root = Script(monkeypatch, all_wrong), tmp_path / "run"
    with running(root, method={"rule": "spin", "policy": DPO}, rounds=[{}]) as context:
        play(context, policy=POLICY)
    pairs = read(root, PreferencePair, "pairs.jsonl")
    assert [pair.problem for pair in pairs] == list(TRAIN)
    assert [[step.text for step in pair.rejected] for pair in pairs] == [[s.text for s in wrong(p)] for p in TRAIN]
    assert str(script.tasks["policy"].init) == "/second round"


def test_the_policy_marks_its_own_solutions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Right 4 and 5, wrong 2 twice, no mark for what has no end; judgements are no failures and no solved problems."""

    def judged(plan: SearchPlan, problem: Problem) -> Tree:
        if problem in TRAIN:
            return mixed(plan, problem)
        grown = Tree(problem, strategy="samples")
        said = {0: ("So. Score: 4", "Score: 5"), 1: ("Score: 2",), 2: ("I cannot say",)}[int(problem.id[-1])]
        for text in said if TRAIN[2].question not in problem.question else ("Hm.",):
            grown.add(ROOT, Step(text, status=StepStatus.NO_ANSWER), multiplicity=2 if len(said) == 1 else 1)
        return grown

    script, root = Script(monkeypatch, judged), tmp_path / "run"
    with running(root, method={"rule": "self_rewarding", "policy": DPO}, rounds=[{}]) as context:
        play(context, policy=POLICY)
    first, second = script.plans
    assert (second.blind, second.config.candidates, len(second.problems)) == (True, 3, 3 + 3 + 1)
    assert first.problems[0].question in second.problems[0].question
    assert not any(grader().grade(problem, None) for problem in second.problems)  # they can be graded: a worker does
    pairs = read(root, PreferencePair, "pairs.jsonl")
    assert [(pair.problem, pair.chosen_q, pair.rejected_q) for pair in pairs] == [(p, 4.5, 2.0) for p in TRAIN[:2]]
    found = facts(root, "r1/marks")
    assert (found["judged"], found["marks"]) == (7, 2 * (1 + 1 + 2)) and "failures" not in found
    assert str(script.tasks["policy"].init) == "/second round"


@pytest.mark.parametrize(
    ("text", "mark"),
    [
        ("Score: 4", 4.0),
        ("score:3.5/5", 3.5),
        ("Score: 1\nbut no. Score: 2", 2.0),
        ("Score: 42", None),
        ("Score: 5.5", None),
        ("4 points", None),
    ],
)
def test_a_mark_is_read_from_words(text: str, mark: float | None) -> None:
    assert read_mark(text) == mark


def test_iterative_dpo_prefers_what_the_reward_model_scores_highest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script, root = Script(monkeypatch, mixed), tmp_path / "run"
    first = {"method": {"rule": "hard_labels", "reward": {"objective": "orm"}}}
    rest = {"rule": "iterative_dpo", "policy": DPO}
    with running(root, method=rest, rounds=[first, {"values": "ppm"}]) as context:
        _, reward = play(context)
        _, later = play(context, 2, ppm=reward)
    assert script.plans[1].ppm == reward and later is None
    pairs = read(root, PreferencePair, "pairs.jsonl", 2)
    assert [(pair.problem, pair.chosen_q, pair.rejected_q) for pair in pairs] == [(p, 0.5, -0.5) for p in TRAIN[:2]]


def test_a_strategy_without_the_reward_model_it_needs_is_not_searched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An earlier round was to train one and had nothing to learn from."""
    script, root = Script(monkeypatch, all_wrong), tmp_path / "run"
    first = {"method": {"rule": "rstar_math", "policy": None}}
    sphere = {"values": "ppm", "strategy": "sphere"}
    with running(root, method={"rule": "sphere", "policy": DPO}, rounds=[first, sphere]) as context:
        assert play(context, 2) == (None, None)
    assert script.plans == []
    assert "needs a reward model" in facts(root, "r2/search")["skipped"]
    assert "no branch has a right solution" in facts(root, "r2/train_policy")["skipped"]


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
    monkeypatch.setattr(Fleet, "scorer", lambda *_: [])
    monkeypatch.setattr(evaluate, "ScorerPool", KnowingScorer)
    model = tmp_path / "orm"
    model.mkdir()
    (model / "config.json").write_text(json.dumps({"id2label": {"0": "right"}}))
    grown = tree(TRAIN[0], 1, 1, 1)
    with running(tmp_path / "run", evaluation={"search": {"aggregate": how}}) as context:
        found = evaluate.rescore(context, Searchers(context), model_ref("ppm", model, 1), [grown])
    value, before, many = math.tanh(1.0), first_mistake(TRAIN[0]), len(wrong(TRAIN[0]))
    expected = value * (2 * before - many) / many if how == "mean" else -value
    assert list(found[TRAIN[0].id].values()) == pytest.approx([value, expected])
