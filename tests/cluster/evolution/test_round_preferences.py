"""Rounds of the methods that learn from pairs of solutions: what is set against what. Scripted, no Ray."""

from __future__ import annotations

from pathlib import Path

import pytest

from cluster.searches.runner import SearchPlan
from search.data import PreferencePair, Problem, Step, StepStatus
from search.grading.grader import grader
from search.prompts import read_mark
from search.tree import ROOT, Tree
from tests.cluster.evolution.scripted_rounds import (
    DPO,
    POLICY,
    TRAIN,
    Script,
    all_wrong,
    facts,
    mixed,
    play,
    read,
    running,
)
from tests.cluster.reward_eval.judged_samples import wrong


def test_dpo_starts_from_the_policy_that_drew_the_samples(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script, root = Script(monkeypatch, mixed), tmp_path / "run"
    method = {"rule": "irpo", "take": {"pairs": 4}, "policy": {"objective": "dpo_nll"}}
    with running(root, method=method, rounds=[{}]) as context:
        play(context, policy=POLICY)
    assert (script.tasks["policy"].objective, str(script.tasks["policy"].init)) == ("dpo_nll", "/second round")
    pairs = read(root, PreferencePair, "pairs.jsonl")
    assert [pair.problem.id for pair in pairs] == [TRAIN[0].id] * 4 + [TRAIN[1].id] * 4


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
    with running(root, method=rest, rounds=[first, {"values": "reward_model"}]) as context:
        _, reward = play(context)
        _, later = play(context, 2, reward_model=reward)
    assert script.plans[1].reward_model == reward and later is None
    pairs = read(root, PreferencePair, "pairs.jsonl", 2)
    assert [(pair.problem, pair.chosen_q, pair.rejected_q) for pair in pairs] == [(p, 0.5, -0.5) for p in TRAIN[:2]]


def test_a_strategy_without_the_reward_model_it_needs_is_not_searched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An earlier round was to train one and had nothing to learn from."""
    script, root = Script(monkeypatch, all_wrong), tmp_path / "run"
    first = {"method": {"rule": "rstar_math", "policy": None}}
    sphere = {"values": "reward_model", "strategy": "sphere"}
    with running(root, method={"rule": "sphere", "policy": DPO}, rounds=[first, sphere]) as context:
        assert play(context, 2) == (None, None)
    assert script.plans == []
    assert "needs a reward model" in facts(root, "r2/search")["skipped"]
    assert "no branch has a right solution" in facts(root, "r2/train_policy")["skipped"]
