"""Score many solutions: the requests, the file, and what a killed run leaves of it. No engine."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from cluster.reward_eval import step_scores
from cluster.reward_eval.step_scores import (
    ScoringTask,
    SolutionLogits,
    prefixes,
    read_logits,
    score_concurrently,
    scoring_tasks,
)
from cluster.run.directory import Stage, check_inputs, write_inputs
from search import serialization
from search.data import Problem, State, Step, StepStatus
from search.errors import UserError
from search.tree import ROOT, Tree
from tests.fakes.reward_model import ScriptedRewardModel, step_count

PROBLEM = Problem(id="p", question="?", answer="1", source="t")


def final(answer: str) -> Step:
    return Step(f"say {answer}", status=StepStatus.FINAL, answer=answer)


def tree(name: str = "p") -> Tree:
    """Return two finished solutions, of two steps and of one, and an unfinished one."""
    samples = Tree(Problem(id=name, question="?", answer="1", source="t"), strategy="sampling")
    samples.add(samples.add(ROOT, Step("think")), final("1"))
    samples.add(ROOT, Step("stop", status=StepStatus.NO_ANSWER))
    samples.add(ROOT, final("2"))
    return samples


def counting() -> ScriptedRewardModel:
    """Return a reward model whose logit is the number of a state's steps; its answers take some turns of the loop."""
    return ScriptedRewardModel(step_count, delays=random.Random(1), tokens=10)


async def test_request_is_one_solution_with_all_its_prefixes() -> None:
    reward_model, kept = counting(), list[SolutionLogits]()
    await score_concurrently(reward_model, scoring_tasks([tree()]), kept.append, concurrency=4)
    assert kept == [SolutionLogits("p", ((1.0, 2.0), (1.0,)), 30)]
    assert sorted(len(states) for states in reward_model.requests) == [1, 2]


async def test_concurrency_bounds_the_tasks_under_way() -> None:
    reward_model, kept = counting(), list[SolutionLogits]()
    tasks = [ScoringTask(str(n), (prefixes(State(PROBLEM, (final("1"),))),)) for n in range(20)]
    await score_concurrently(reward_model, tasks, kept.append, concurrency=3)
    assert sorted(int(scored.key) for scored in kept) == list(range(20))
    assert reward_model.max_active == 3


def test_prefixes_end_with_the_whole_solution() -> None:
    state = State(PROBLEM, (Step("a"), Step("b"), final("1")))
    assert [len(prefix.steps) for prefix in prefixes(state)] == [1, 2, 3]
    assert prefixes(state)[-1] == state
    assert prefixes(State(PROBLEM)) == ()


def test_torn_last_line_is_cut_off(tmp_path: Path) -> None:
    file = tmp_path / "scores.jsonl"
    assert read_logits(file) == {}
    lines = [serialization.dump(SolutionLogits(name, ((0.1 + 0.2, -3.5),), 7)) for name in ("ä\u2028b", "c")]
    file.write_bytes("\n".join([*lines, '{"key":"ä']).encode()[:-1])
    assert read_logits(file) == {
        "ä\u2028b": SolutionLogits("ä\u2028b", ((0.1 + 0.2, -3.5),), 7),
        "c": SolutionLogits("c", ((0.30000000000000004, -3.5),), 7),
    }
    assert file.read_text().endswith('"tokens":7}\n')
    assert step_scores.read_logits(file) == read_logits(file)


def test_stage_refuses_other_inputs(tmp_path: Path) -> None:
    stage = Stage(tmp_path / "scores")
    check_inputs(stage, {"model": "a"})
    write_inputs(stage.begin(), {"model": "a", "trees": None})
    check_inputs(stage, {"model": "a", "trees": None})
    message = r"scores was made from something else: model \"a\" -> \"b\"\. Choose another --name"
    with pytest.raises(UserError, match=message):
        check_inputs(stage, {"model": "b", "trees": None})
    stage.finish()
    with pytest.raises(UserError, match=message):
        check_inputs(stage, {"model": "b", "trees": None})
