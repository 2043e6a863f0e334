"""rStar: a golden tree node by node, what it never sees, code, and what holds for every tree."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping, Sequence
from dataclasses import replace
from inspect import cleandoc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from search.data import Candidate, Finish, Until
from search.strategies.registry import search_config
from search.strategies.tree.mutual_consistency import DISAGREED, NO_SURVIVOR, NOT_CHECKED
from search.strategies.tree.rstar import Rstar, RstarConfig
from search.strategies.tree.rstar_actions import Action, actions_to, permitted
from search.tree import ROOT, Tree
from tests.fakes.drawing import draw
from tests.fakes.policy import Request, ScriptedPolicy
from tests.fakes.reward_model import ScriptedRewardModel, refuse_state
from tests.fakes.scripts import action_request, action_table, fixed_line, random_words
from tests.fakes.services import code_services, word_services
from tests.fakes.words import PROBLEM, Words, bare
from tests.search.conftest import last

A1, A2, A3, A4, A5 = Action
CONFIG = search_config(
    strategy="rstar",
    rollouts=8,
    candidates=2,
    max_actions=3,
    instructions=True,
    max_solution_tokens=20,
    max_step_tokens=10,
)

Table = dict[tuple[Words, Action | None], list[str]]
TABLE: Table = {
    ((), A1): ["a", "b", "never drawn: candidates is 2"],
    ((), A2): ["x =7"],
    ((), A3): ["q?s", "q?s"],
    ((), A5): ["r"],
    (("a",), A1): ["=8", "c"],
    (("a",), A2): ["=7"],
    (("b",), A1): ["=7", "=7"],
    (("b",), A2): ["!"],
    (("q?s",), A1): ["=9", "=9"],
    (("q?s",), A2): ["=7"],
    (("q?s",), A3): ["d"],
    ((), A4): ["t"],  # without the answer that it is to stand in place of
    (("r",), A1): ["=7"],
    (("r",), A3): ["u?v"],
    (("r", "u?v"), A2): ["=8"],
}  # fmt: skip


def agreeing(line: str) -> ScriptedPolicy:
    """Return a second policy that ends every solution with the same line."""
    return ScriptedPolicy(fixed_line(line))


def shown(policy: ScriptedPolicy) -> list[Words]:
    """Return what the second policy was shown of each solution, after a check of how it was called."""
    for request in policy.requests:
        assert (request.n, request.sampling.temperature, request.sampling.until) == (1, 0.0, Until.PAUSE)
    return [tuple(bare(step) for step in request.state.steps) for request in policy.requests]


def acting(table: Table = TABLE) -> ScriptedPolicy:
    return ScriptedPolicy(action_table(table))


def nodes(tree: Tree) -> list[tuple[int, str, str, int, float]]:
    """Return parent, action, word, visits and value of every node but the root."""
    return [(n.parent, n.action, bare(n.step), n.visits, n.value_sum) for n in tree.nodes[1:]]


async def golden(second: ScriptedPolicy | None = None) -> Tree:
    services = word_services(acting(), second_policy=second)
    return await Rstar(CONFIG).search(PROBLEM.without_answer(), services, 1)


def test_preset_has_the_settings_of_the_paper() -> None:
    paper = search_config(preset="rstar")
    assert (paper.strategy, paper.candidates, paper.rollouts, paper.max_actions, paper.exploration) == (
        "rstar",
        5,
        32,
        5,
        2,
    )
    assert paper.actions == tuple(Action)
    given = search_config(**{"preset": "rstar", "max_actions": 8, "actions": ["A1", "A2"]})
    assert (given.max_actions, given.actions) == (8, (A1, A2))


async def test_golden_tree() -> None:
    """A node is expanded by every action that may come next; the value of an end is the share of all answers in the tree, so
    far, that equal its own. Rollouts 1 to 5 visit each first step once: 8 has 1/3 of the answers, then 7 has 4/5 twice (b
    and x), 9 has 1/4 (q?s), 7 has 2/3 (r). Rollouts 6 to 8 go on by UCT: to b and to x, whose 7 has 2/3 by then, and to r,
    where u?v is expanded and 8 has 2/10. The answer is that of the best mean Q times confidence: 7.
    """
    # rollout 6: Q 1/3, 4/5, 4/5, 1/4, 2/3, all with 2 * sqrt(ln 5) → b: 2/3
    # rollout 7: b has 0.733 + 2 * sqrt(ln 6 / 2) = 2.626, x 0.8 + 2 * sqrt(ln 6) = 3.477 → x: 2/3
    # rollout 8: r has 0.667 + 2 * sqrt(ln 7) = 3.457, a 3.123 → r, there u?v, expanded: 8 has 2/10
    tree = await golden()
    assert draw(tree, bare) == cleandoc("""
        0   question        N 8  Q +0.548
        1   ├─ A1 a         N 1  Q +0.333
        7   │  ├─ A1 =8     N 1  Q +0.333
        8   │  ├─ A1 c
        9   │  └─ A2 =7                               *
        2   ├─ A1 b         N 2  Q +0.733
        10  │  ├─ A1 =7 x2  N 2  Q +0.733             *
        11  │  └─ A2 !                     no_answer
        3   ├─ A2 x         N 2  Q +0.733
        4   │  └─ =7        N 2  Q +0.733             *
        5   ├─ A3 q?s x2    N 1  Q +0.250
        12  │  ├─ A1 =9 x2  N 1  Q +0.250
        13  │  ├─ A2 =7                               *
        14  │  ├─ A3 d
        15  │  └─ A4 q?t
        6   └─ A5 r         N 2  Q +0.433
        16     ├─ A1 =7     N 1  Q +0.667             *
        17     ├─ A2                       no_answer
        18     └─ A3 u?v    N 1  Q +0.200
        19        └─ A2 =8  N 1  Q +0.200
    """)
    b = x = 0.8 + 2 / 3
    values = [1 / 3, b, x, x, 0.25, 2 / 3 + 0.2, 1 / 3, 0, 0, b, 0, 0.25, 0, 0, 0, 2 / 3, 0, 0.2, 0.2]
    assert [node.value_sum for node in tree.nodes[1:]] == pytest.approx(values)
    assert (tree.nodes[ROOT].visits, tree.nodes[10].multiplicity, tree.nodes[5].multiplicity) == (8, 2, 2)
    assert tree.failures == {"no_answer": 2, "no_candidate": 1}
    assert [text.text for text in tree.steps(15)] == ["Step 1: Smaller question:q?t\n\n"]
    # path a and 8: Q 1/3 * confidence 0.2; x: Q 0.733 * 0.6; b the same; s: 0.25 * 0.2; r: (0.433 + 0.667) / 2 * 0.6; …
    assert tree.answer == "7"


async def test_requests_by_action() -> None:
    policy = acting()
    await Rstar(CONFIG).search(PROBLEM.without_answer(), word_services(policy), 1)
    requests = [action_request(request) for request in policy.requests]
    assert requests[:4] == [
        ((), A1, "", 2, Until.STEP),
        ((), A2, "", 1, Until.PAUSE),
        ((), A3, "Step 1: Smaller question:", 2, Until.STEP),
        ((), A5, "Step 1: In other words:", 1, Until.STEP),
    ]
    assert [request for request in requests if request[1] is A4] == [
        ((), A4, "Step 1: Smaller question:q?", 1, Until.STEP)  # the sub-question stays, its answer goes
    ]
    assert requests[-1] == (("r", "u?v"), A2, "", 1, Until.PAUSE)  # the third of three actions
    assert len(requests) == 4 + 2 + 2 + 4 + 3 + 1


async def test_second_policy_decides_the_answer() -> None:
    second = agreeing("=9")
    tree = await golden(second)
    assert tree.answer == "9"
    assert tree.failures == {"no_answer": 2, "no_candidate": 1, DISAGREED: 5}
    assert sorted(shown(second)[:5]) == [("a",), ("b",), ("q?s",), ("r",), ("x",)]
    assert shown(second)[5] in [("r",), ("r", "u?v")]  # two thirds or one of three steps
    assert tree.cost.requests == 16 + 6


async def test_best_score_answers_when_no_solution_survives() -> None:
    tree = await golden(agreeing("=1"))
    assert tree.answer == "7"
    assert tree.failures == {"no_answer": 2, "no_candidate": 1, DISAGREED: 6, NO_SURVIVOR: 1}


async def test_silent_second_policy_agrees_with_no_solution() -> None:
    tree = await golden(agreeing(""))
    assert (tree.answer, tree.failures[DISAGREED], tree.failures[NO_SURVIVOR]) == ("7", 6, 1)


@pytest.mark.parametrize("reference", ["7", "8", "1"])
async def test_tree_does_not_depend_on_the_reference_answer(reference: str) -> None:
    blind = await golden(agreeing("=9"))
    services = word_services(
        acting(), graded=True, reward_model=ScriptedRewardModel(refuse_state), second_policy=agreeing("=9")
    )
    # there is nothing to count while the tree grows
    eager = CONFIG.model_copy(update={"stop_after_correct": 1, "stop_after_incorrect": 1})
    seen = await Rstar(eager).search(replace(PROBLEM, answer=reference), services, 1)
    assert nodes(seen) == nodes(blind)
    assert (seen.answer, seen.failures) == (blind.answer, blind.failures)
    assert not any(node.correct is not None for node in blind.nodes)
    assert {seen.nodes[i].answer for i in seen.terminals() if seen.nodes[i].correct} == {reference} - {"1"}
    assert all(seen.nodes[i].correct is not None for i in seen.terminals())


async def test_budget_is_checked_before_rollouts_and_second_policy() -> None:
    second = agreeing("=9")
    config = CONFIG.model_copy(update={"budget_tokens": 1})
    services = word_services(acting(), second_policy=second)
    tree = await Rstar(config).search(PROBLEM.without_answer(), services, 1)
    assert (tree.nodes[ROOT].visits, second.requests) == (1, [])
    assert (tree.answer, tree.failures) == ("8", {NOT_CHECKED: 1})


async def test_tree_has_no_answer_when_the_policy_is_silent() -> None:
    tree = await Rstar(CONFIG).search(
        PROBLEM.without_answer(), word_services(acting({}), second_policy=agreeing("=9")), 1
    )
    assert (tree.answer, tree.nodes[ROOT].visits, tree.nodes[ROOT].value_sum) == (None, 8, 0.0)
    assert tree.failures == {"no_candidate": 4, "no_answer": 1}


async def test_too_deep_is_counted_when_no_action_can_end() -> None:
    config = CONFIG.model_copy(update={"actions": (A1,), "max_actions": 2, "rollouts": 1})
    table = {((), A1): ["a"], (("a",), A1): ["b"]}
    tree = await Rstar(config).search(PROBLEM.without_answer(), word_services(acting(table)), 1)
    assert nodes(tree) == [(0, "A1", "a", 1, 0.0), (1, "A1", "b", 1, 0.0)]
    assert tree.failures == {"too_deep": 1}


def code_lines(table: Mapping[str, Sequence[str] | None], request: Request) -> list[Candidate]:
    """Return the lines of ``table`` for the text so far: programs if the rest is drawn, its output where it has None."""
    assert request.state.request is None  # no instructions
    lines = table["".join(step.text for step in request.state.steps)]
    if lines is None:
        lines = [f"\\boxed{{{request.state.steps[-1].output}}}<end_of_answer>"]
    elif request.sampling.until is Until.PAUSE:
        lines = [line for line in lines if line.endswith("<end_of_code>")]
    return [Candidate(line, (1,), Finish.STOP) for line in lines[: request.n]]


async def test_actions_are_ways_of_drawing_code() -> None:
    left, other = "# How many?\nleft = 3<end_of_step>", "left = 7<end_of_step>"
    table: dict[str, Sequence[str] | None] = {
        "": [left, last("print(1)")],
        left: [last("print(3)")],
        "# How many?\n": [other],
        "# How many?\n" + other: [last("print(7)")],
        last("print(1)"): None,
        left + last("print(3)"): None,
        "# How many?\n" + other + last("print(7)"): None,
    }
    policy = ScriptedPolicy(lambda request: code_lines(table, request))
    config = search_config(strategy="rstar", rollouts=9, candidates=1, actions=(A2, A3, A4), max_actions=3)
    tree = await Rstar(config).search(PROBLEM.without_answer(), code_services(policy), 1)
    # A2 → print(1); A3 → left = 3, A4 below it → left = 7 in its place
    again = next(i for i, node in enumerate(tree.nodes) if node.replaces_parent)
    assert (tree.nodes[again].action, [s.code for s in tree.steps(again)]) == ("A4", ["# How many?\nleft = 7"])
    ends = {tree.nodes[i].answer: [s.code for s in tree.steps(i)] for i in tree.terminals()}
    assert ends["7"] == ["# How many?\nleft = 7", "print(7)", ""]
    assert ends["3"] == ["# How many?\nleft = 3", "print(3)", ""]
    assert actions_to(tree, next(tree.terminals())) == (A2,)


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    config=st.builds(
        RstarConfig,
        strategy=st.just("rstar"),
        rollouts=st.integers(1, 12),
        parallel_rollouts=st.integers(1, 4),
        candidates=st.integers(1, 3),
        max_actions=st.integers(2, 5),
        keep_failed=st.booleans(),
    ),
    second=st.booleans(),
)
def test_every_tree_follows_the_grammar_and_adds_up(seed: int, config: RstarConfig, second: bool) -> None:
    policy, other = (ScriptedPolicy(random_words(salt), delays=random.Random(salt)) for salt in (seed, seed + 1))
    services = word_services(policy, second_policy=other if second else None)
    tree = asyncio.run(Rstar(config).search(PROBLEM.without_answer(), services, 1))
    assert tree.nodes[ROOT].visits == config.rollouts
    answers = {tree.nodes[i].answer for i in tree.terminals() if tree.nodes[i].visits}
    assert tree.answer in (answers or {None})
    for index, node in enumerate(tree.nodes):
        so_far = actions_to(tree, index)
        assert len(so_far) <= config.max_actions
        if node.action:
            assert node.action in permitted(so_far[:-1], config.actions, config.max_actions)
        assert node.replaces_parent is (node.action == A4)
        assert not any(step.is_terminal for step in tree.steps(index)[:-1])
        if not node.is_failed:
            assert 0.0 <= node.value_sum <= node.visits
            below = sum(tree.nodes[child].visits for child in tree.live_children(index))
            assert node.visits == below or not node.is_expanded or not tree.live_children(index)
