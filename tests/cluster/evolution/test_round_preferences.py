"""Rounds of the methods that learn from pairs of solutions, with scripted searches and training."""

from __future__ import annotations

from pathlib import Path

import pytest

from cluster.searches.runner import SearchPlan
from search.data import PreferencePair, Problem, Step, StepStatus
from search.formats.judge_prompts import GENERAL
from search.grading.grader import grader
from search.tree import ROOT, Tree
from tests.cluster.evolution.scripted_rounds import (
    DPO,
    POLICY,
    TRAIN,
    Script,
    all_incorrect,
    facts,
    mixed,
    read,
    run_to_training,
    running,
)
from tests.cluster.reward_eval.stored_samples import incorrect_steps


def test_dpo_starts_from_the_policy_that_searched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script, root = Script(monkeypatch, mixed), tmp_path / "run"
    method = {"rule": "irpo", "options": {"pairs": 4}, "policy": {"objective": "dpo_nll"}}
    with running(root, method=method, rounds=[{}]) as context:
        run_to_training(context, policy=POLICY)
    assert (script.tasks["policy"].objective, str(script.tasks["policy"].initial_model)) == ("dpo_nll", "/second round")
    pairs = read(root, PreferencePair, "pairs.jsonl")
    assert [pair.problem.id for pair in pairs] == [TRAIN[0].id] * 4 + [TRAIN[1].id] * 4


def test_spin_pairs_the_worked_solution_with_each_sample(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script, root = Script(monkeypatch, all_incorrect), tmp_path / "run"
    with running(root, method={"rule": "spin", "policy": DPO}, rounds=[{}]) as context:
        run_to_training(context, policy=POLICY)
    pairs = read(root, PreferencePair, "pairs.jsonl")
    assert [pair.problem for pair in pairs] == list(TRAIN)
    assert [[step.text for step in pair.rejected] for pair in pairs] == [
        [s.text for s in incorrect_steps(p)] for p in TRAIN
    ]
    assert str(script.tasks["policy"].initial_model) == "/second round"


def test_policy_marks_its_own_solutions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Correct ones get 4 and 5, incorrect ones 2 twice, unfinished ones none. Judgements are neither failed nor solved."""

    def search_or_judge(plan: SearchPlan, problem: Problem) -> Tree:
        if problem in TRAIN:
            return mixed(plan, problem)
        tree = Tree(problem, strategy="sampling")
        judgements = {0: ("So. Score: 4", "Score: 5"), 1: ("Score: 2",), 2: ("I cannot say",)}[int(problem.id[-1])]
        for text in judgements if problem.question != TRAIN[2].question else ("Hm.",):
            tree.add(ROOT, Step(text, status=StepStatus.NO_ANSWER), multiplicity=2 if len(judgements) == 1 else 1)
        return tree

    script, root = Script(monkeypatch, search_or_judge), tmp_path / "run"
    method = {"rule": "self_rewarding", "options": {"prompt": "general"}, "policy": DPO}
    with running(root, method=method, rounds=[{}]) as context:
        run_to_training(context, policy=POLICY)
    first, second = script.plans
    assert (second.blind, second.config.candidates, len(second.problems)) == (True, 3, 3 + 3 + 1)
    judged = second.problems[0].request
    assert (first.problems[0].question, GENERAL) == (second.problems[0].question, judged and judged.text)
    assert judged and judged.is_judgement and judged.attempt[-1].is_terminal
    assert not any(grader().grade(problem, None) for problem in second.problems)  # they can be graded: a worker does
    pairs = read(root, PreferencePair, "pairs.jsonl")
    assert [(pair.problem, pair.chosen_q, pair.rejected_q) for pair in pairs] == [(p, 4.5, 2.0) for p in TRAIN[:2]]
    judging = facts(root, "r1/self_judgements")
    assert (judging["judged"], judging["marks"]) == (7, 2 * (1 + 1 + 2)) and "failures" not in judging
    assert str(script.tasks["policy"].initial_model) == "/second round"


def test_iterative_dpo_prefers_the_highest_score(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script, root = Script(monkeypatch, mixed), tmp_path / "run"
    first = {"method": {"rule": "hard_labels", "reward_model": {"objective": "orm"}}}
    rest = {"rule": "iterative_dpo", "policy": DPO}
    with running(root, method=rest, rounds=[first, {"values": "reward_model"}]) as context:
        _, reward = run_to_training(context)
        _, later = run_to_training(context, 2, reward_model=reward)
    assert script.plans[1].reward_model == reward and later is None
    pairs = read(root, PreferencePair, "pairs.jsonl", 2)
    half = pytest.approx(0.5)
    assert [(pair.problem, pair.chosen_q, -pair.rejected_q) for pair in pairs] == [(p, half, half) for p in TRAIN[:2]]


def test_search_is_skipped_without_its_reward_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An earlier round should have trained one and had nothing to learn from."""
    script, root = Script(monkeypatch, all_incorrect), tmp_path / "run"
    first = {"method": {"rule": "rstar_math", "policy": None}}
    sphere = {"values": "reward_model", "search": {"strategy": "sphere"}}
    with running(root, method={"rule": "sphere", "policy": DPO}, rounds=[first, sphere]) as context:
        assert run_to_training(context, 2) == (None, None)
    assert script.plans == []
    assert "needs a reward model" in facts(root, "r2/search")["skipped"]
    assert "no branch has a correct solution" in facts(root, "r2/train_policy")["skipped"]
