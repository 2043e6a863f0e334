"""Scores of many solutions: what is asked, what is kept, and what a killed run has kept. No engine."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from cluster.reward_eval import step_scores
from cluster.reward_eval.step_scores import Scored, Work, known, prefixes, score_all, works
from cluster.run.directory import Stage, check_inputs, write_inputs
from search import serialization
from search.data import Problem, Scores, State, Step, StepStatus
from search.errors import UserError
from search.tree import ROOT, Tree

PROBLEM = Problem("p", "?", "1", "t")


def final(answer: str) -> Step:
    return Step(f"say {answer}", status=StepStatus.FINAL, answer=answer)


def tree(name: str = "p") -> Tree:
    """Two finished solutions of two steps and one, and one without an end."""
    grown = Tree(Problem(name, "?", "1", "t"), strategy="samples")
    grown.add(grown.add(ROOT, Step("think")), final("1"))
    grown.add(ROOT, Step("stop", status=StepStatus.NO_ANSWER))
    grown.add(ROOT, final("2"))
    return grown


@dataclass
class Counting:
    """The number of a state's steps as its logit; keeps what it was asked and how much it held at once."""

    asked: list[int] = field(default_factory=list)
    busy: int = 0
    most: int = 0

    async def score(self, states: Sequence[State]) -> Scores:
        self.busy += 1
        self.most = max(self.most, self.busy)
        await asyncio.sleep(0)
        self.busy -= 1
        self.asked.append(len(states))
        return Scores(tuple(float(len(state.steps)) for state in states), prompt_tokens=10 * len(states))


async def test_a_request_is_one_solution_with_all_its_prefixes() -> None:
    reward_model, kept = Counting(), list[Scored]()
    await score_all(reward_model, works([tree()]), kept.append, at_once=4)
    assert kept == [Scored("p", ((1.0, 2.0), (1.0,)), 30)]
    assert sorted(reward_model.asked) == [1, 2]


async def test_so_many_works_are_under_way_and_no_more() -> None:
    reward_model, kept = Counting(), list[Scored]()
    wanted = [Work(str(n), (prefixes(State(PROBLEM, (final("1"),))),)) for n in range(20)]
    await score_all(reward_model, wanted, kept.append, at_once=3)
    assert sorted(int(scored.key) for scored in kept) == list(range(20))
    assert reward_model.most == 3


def test_prefixes_end_with_the_whole_solution() -> None:
    state = State(PROBLEM, (Step("a"), Step("b"), final("1")))
    assert [len(one.steps) for one in prefixes(state)] == [1, 2, 3]
    assert prefixes(state)[-1] == state
    assert prefixes(State(PROBLEM)) == ()


def test_a_torn_last_line_is_cut_off_and_the_rest_kept(tmp_path: Path) -> None:
    file = tmp_path / "scores.jsonl"
    assert known(file) == {}
    lines = [serialization.dump(Scored(name, ((0.1 + 0.2, -3.5),), 7)) for name in ("ä\u2028b", "c")]
    file.write_bytes("\n".join([*lines, '{"key":"ä']).encode()[:-1])
    assert known(file) == {
        "ä\u2028b": Scored("ä\u2028b", ((0.1 + 0.2, -3.5),), 7),
        "c": Scored("c", ((0.30000000000000004, -3.5),), 7),
    }
    assert file.read_text().endswith('"tokens":7}\n')
    assert step_scores.known(file) == known(file)


def test_a_stage_goes_on_with_nothing_but_what_it_was_made_from(tmp_path: Path) -> None:
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
