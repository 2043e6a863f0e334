"""rStar's grammar, what a step asks, and a policy that is asked in other words: by hand."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from search.data import Candidate, Finish, Proposal, Request, Sampling, State, Step
from search.formats.code_format import CodeFormat
from search.formats.plain_format import PlainFormat
from search.seeds import derive
from search.strategies.tree.prompted_policy import PromptedPolicy
from search.strategies.tree.rstar.actions import GRAMMAR, Action, actions_to, permitted, subquestion_of
from search.strategies.tree.rstar.prompts import INSTRUCTIONS, request_for, step_prefix
from search.tree import ROOT, Tree
from tests.fakes.policy import ScriptedPolicy
from tests.fakes.words import PROBLEM

A1, A2, A3, A4, A5 = Action
EVERY = tuple(Action)


def test_grammar_is_that_of_the_paper() -> None:
    assert GRAMMAR == {
        None: (A1, A2, A3, A5),
        A5: (A1, A2, A3),
        A3: (A1, A2, A3, A4),
        A4: (A1, A2, A3),
        A1: (A1, A2),
        A2: (),
    }


@pytest.mark.parametrize(
    ("so_far", "available", "max_actions", "expected"),
    [
        ((), EVERY, 5, (A1, A2, A3, A5)),
        ((A5,), EVERY, 5, (A1, A2, A3)),
        ((A5, A3), EVERY, 5, (A1, A2, A3, A4)),
        ((A3, A4), EVERY, 5, (A1, A2, A3)),
        ((A3, A4, A1), EVERY, 5, (A1, A2)),
        ((A1, A2), EVERY, 5, ()),
        ((A3, A3, A3, A3), EVERY, 5, (A2,)),  # the last of five actions ends the solution
        ((A3, A3, A3, A3), (A1, A3), 5, (A1, A3)),  # … where there is one that does
        ((A3, A3, A3, A3, A1), EVERY, 5, ()),
        ((), (A1, A2), 5, (A1, A2)),
    ],
)
def test_what_may_come_next(
    so_far: tuple[Action, ...], available: tuple[Action, ...], max_actions: int, expected: tuple[Action, ...]
) -> None:
    assert permitted(so_far, available, max_actions) == expected


def test_any_action_may_be_the_last_when_it_need_not_complete() -> None:
    assert permitted((A3, A3, A3, A3), EVERY, 5, complete_last=False) == (A1, A2, A3, A4)
    assert permitted((A3, A3, A3, A3, A1), EVERY, 5, complete_last=False) == ()


@given(st.integers(2, 8), st.data())
def test_whoever_follows_the_grammar_comes_to_an_end_in_time(max_actions: int, data: st.DataObject) -> None:
    so_far: list[Action] = []
    while allowed := permitted(so_far, EVERY, max_actions):
        so_far.append(data.draw(st.sampled_from(allowed)))
    assert so_far[-1] is A2
    assert len(so_far) <= max_actions


@pytest.mark.parametrize(
    ("text", "asked"),
    [
        ("# How many are left?\nleft = 5 - 2\n<end_of_step>", "# How many are left?\n"),
        ("# Left\n# 5 less 2\nleft = 5 - 2\n<end_of_step>", "# Left\n"),
        ("Step 2: How many are left? 5 - 2 = 3.\n\n", "Step 2: How many are left?"),
        ("Step 2: 5 - 2 = 3.\n\n", ""),
        ("left = 5 - 2\n<end_of_step>", ""),
    ],
)
def test_subquestion_of_a_step(text: str, asked: str) -> None:
    assert subquestion_of(text) == asked


def test_replacing_step_stands_in_place_of_its_parent() -> None:
    tree = Tree(PROBLEM)
    one = tree.add(ROOT, Step("one"), action=A1)
    first = tree.add(one, Step("q? first"), action=A3)
    other = tree.add(first, Step("q? other"), action=A4, replaces_parent=True)
    last = tree.add(other, Step("end"), action=A2)
    assert (tree.path(last), tree.solution(last)) == ([one, first, other, last], [one, other, last])
    assert [step.text for step in tree.steps(last)] == ["one", "q? other", "end"]
    assert [step.text for step in tree.steps(first)] == ["one", "q? first"]
    assert actions_to(tree, last) == (A1, A3, A4, A2)


def test_step_prefix_by_action_and_format() -> None:
    assert step_prefix(A5, PlainFormat(), 1, False) == "Step 1: In other words:"
    assert step_prefix(A5, CodeFormat(), 1, True) == "# In other words:"
    assert step_prefix(A3, PlainFormat(), 2, True) == "Step 2: Smaller question:"
    assert step_prefix(A3, PlainFormat(), 2, False) == step_prefix(A1, PlainFormat(), 2, True) == ""


def test_instructions_differ_by_action() -> None:
    assert set(INSTRUCTIONS) == set(Action)
    assert len(set(INSTRUCTIONS.values())) == 5
    assert [request_for(action, 3).asks_for_step for action in EVERY] == [True, False, True, True, True]
    assert request_for(A1, 3).steps_before == 3


async def test_prompted_policy_changes_its_request_only() -> None:
    policy = ScriptedPolicy(lambda request: [Candidate("three", (1, 2), Finish.STOP)], version=4)
    state = State(PROBLEM, (Step("one"),), Request("Go on.", steps_before=1))
    prompted = PromptedPolicy(policy, "A3", head="So: ")
    proposal = await prompted.propose(state, 2, Sampling(), 9)
    (request,) = policy.requests
    assert request.state == State(PROBLEM, (Step("one"), Step("So: ")), Request("Go on.", steps_before=1))
    assert (request.n, request.seed) == (2, derive(9, "A3"))
    assert proposal == Proposal((Candidate("So: three", (1, 2), Finish.STOP),), 12, 2, 4)


async def test_reflection_stands_before_the_new_solution() -> None:
    policy = ScriptedPolicy(lambda request: [Candidate("three", (1, 2), Finish.STOP)])
    reflection = Request("Reflect.", attempt=(Step("wrong"),))
    await PromptedPolicy(policy, "correct", reflection).propose(State(PROBLEM, (Step("one"),)), 1, Sampling(), 9)
    assert policy.requests[0].state == State(PROBLEM, (Step("one"),), reflection)
