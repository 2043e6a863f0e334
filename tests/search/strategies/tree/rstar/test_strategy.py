"""rStar: a golden tree node by node, what it never sees, code, and what holds for every tree."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from dataclasses import replace
from inspect import cleandoc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from search.data import Until
from search.strategies.registry import entry_of, search_config
from search.strategies.tree.rstar.actions import Action, actions_to, permitted
from search.strategies.tree.rstar.config import RstarConfig
from search.strategies.tree.rstar.mutual_consistency import DISAGREED, NO_SURVIVOR, NOT_CHECKED
from search.strategies.tree.rstar.strategy import Rstar, visiting_order
from search.tree import ROOT, Tree
from tests.fakes.drawing import draw
from tests.fakes.policy import ScriptedPolicy
from tests.fakes.reward_model import ScriptedRewardModel, refuse_state
from tests.fakes.scripts import HashedText, action_request, action_table, fixed_line, program_table, random_words
from tests.fakes.services import code_services, word_services
from tests.fakes.words import PROBLEM, Words, bare
from tests.search.conftest import last

A1, A2, A3, A4, A5 = Action
CONFIG = search_config(
    strategy="rstar",
    rollouts=8,
    candidates=2,
    votes=3,
    sub_votes=3,
    max_actions=3,
    checks=1,
    instructions=True,
    max_solution_tokens=20,
    max_step_tokens=10,
)

Table = dict[tuple[Words, Action | None], list[str]]
TABLE: Table = {
    ((), A1): ["a", "b", "never drawn: candidates is 2"],
    ((), A2): ["x =7", "y =8", "z =7"],
    ((), A3): ["q?3", "q?3"],
    (("q?",), A3): ["4", "never drawn: two of three votes are there already"],
    ((), A5): ["r"],
    (("a",), A1): ["=8", "c"],
    (("a",), A2): ["=7", "=8", "=8"],
    (("b",), A1): ["=7", "=7"],
    (("b",), A2): ["!", "!", "=9"],
    (("q?3",), A1): ["=9", "d"],
    (("q?3",), A2): ["=7", "=7", "=7"],
    (("q?3",), A3): ["p?6", "p?5"],
    (("q?3", "p?"), A3): ["5", "6"],
    ((), A4): ["4", "5", "5"],  # without the answer that it is to stand in place of
    (("r",), A1): ["=7"],
    (("r",), A2): ["=8", "=7", "=9"],
    (("r",), A3): ["u?1"],
    (("r", "u?"), A3): ["2", "2"],
}  # fmt: skip


def agreeing(line: str) -> ScriptedPolicy:
    """Return a second policy that ends every solution with the same line."""
    return ScriptedPolicy(fixed_line(line))


def shown(policy: ScriptedPolicy) -> list[Words]:
    """Return what the second policy was shown of each solution, after a check of how it was called."""
    for request in policy.requests:
        assert (request.n, request.sampling.temperature, request.sampling.until) == (1, 1.0, Until.PAUSE)
    return [tuple(bare(step) for step in request.state.steps) for request in policy.requests]


def acting(table: Table = TABLE) -> ScriptedPolicy:
    return ScriptedPolicy(action_table(table))


def nodes(tree: Tree) -> list[tuple[int, str, str, int, float]]:
    """Return parent, action, word, visits and value of every node but the root."""
    return [(n.parent, n.action, bare(n.step), n.visits, n.value_sum) for n in tree.nodes[1:]]


async def golden(second: ScriptedPolicy | None = None, **changes: object) -> Tree:
    services = word_services(acting(), second_policy=second)
    return await Rstar(CONFIG.model_copy(update=changes)).search(PROBLEM.without_answer(), services, 1)


async def test_golden_tree() -> None:
    """A node is expanded by every action that may come next. Unvisited children come in an order by chance: first r, then
    a, q, x, b. The value of an end is the share of its votes: at r 8 has 1 of 3, under q 7 has 3 of 3, x =7 has 2 of 3.
    What A1 states has its share of A2's votes beside it: at a 8 has 2 of 3, at b 7 has none of 3, under q 9 has none.
    """
    # rollouts 1 to 5: r 1/3, a 2/3, q 1, x 2/3, b 0. 6: all with 2 * sqrt(ln 5), so the best Q → q, its =9: 0.
    # 7: a and x 2/3 + 2 * sqrt(ln 6) = 3.344, q 0.5 + 2 * sqrt(ln 6 / 2) = 2.393 → a, the first; c: no candidate, 0
    # 8: x 2/3 + 2 * sqrt(ln 7) = 3.457 → its =7 again: 2/3
    tree = await golden()
    assert draw(tree, bare) == cleandoc("""
        0   question         N 8  Q +0.417
        1   ├─ A1 a          N 2  Q +0.333
        10  │  ├─ A1 =8      N 1  Q +0.667
        11  │  ├─ A1 c       N 1  Q +0.000
        21  │  │  └─ A2                     no_answer
        12  │  └─ A2 =8 x2
        2   ├─ A1 b          N 1  Q +0.000
        19  │  ├─ A1 =7 x2   N 1  Q +0.000             *
        20  │  └─ A2 =9
        3   ├─ A2 x x2       N 2  Q +0.667
        4   │  └─ =7 x2      N 2  Q +0.667             *
        5   ├─ A3 q?3 x2     N 2  Q +0.500
        13  │  ├─ A1 =9      N 1  Q +0.000
        14  │  ├─ A1 d
        15  │  ├─ A2 =7 x3   N 1  Q +1.000             *
        16  │  ├─ A3 p?6 x2
        17  │  ├─ A3 p?5 x2
        18  │  └─ A4 q?5 x2
        6   └─ A5 r          N 1  Q +0.333
        7      ├─ A1 =7                                *
        8      ├─ A2 =8      N 1  Q +0.333
        9      └─ A3 u?2 x2
    """)
    assert sorted(tree.nodes[ROOT].children, key=lambda i: -visiting_order(tree, i)) == [6, 1, 5, 3, 2]
    votes = {index: node.votes for index, node in enumerate(tree.nodes) if node.votes}
    assert votes == {4: 3, 5: 3, 8: 3, 9: 3, 12: 3, 15: 3, 16: 3, 17: 3, 18: 3, 20: 3}
    assert tree.failures == {"no_answer": 2, "no_candidate": 1}
    assert [text.text for text in tree.steps(18)] == ["Step 1: Smaller question:q?5\n\n"]
    # mean Q times reward: =8 at r 1/9, =8 at a 1/2 * 2/3, =7 at x 2/3 * 2/3, =7 under q 3/4 * 1, the others 0
    assert tree.answer == "7"


async def test_requests_by_action() -> None:
    policy = acting()
    await Rstar(CONFIG).search(PROBLEM.without_answer(), word_services(policy), 1)
    requests = [action_request(request) for request in policy.requests]
    assert requests[:5] == [
        ((), A1, "", 2, Until.STEP),
        ((), A2, "", 3, Until.PAUSE),
        ((), A3, "Step 1: Smaller question:", 2, Until.STEP),
        ((), A5, "Step 1: In other words:", 1, Until.STEP),
        ((), A3, "Step 1: Smaller question:q?", 1, Until.STEP),  # the third vote
    ]
    assert [request for request in requests if request[1] is A4] == [
        ((), A4, "Step 1: Smaller question:q?", 3, Until.STEP)  # the sub-question stays, its answer goes
    ]
    assert requests[-1] == (("a", "c"), A2, "", 3, Until.PAUSE)  # the third of three actions
    assert len(requests) == 5 + 4 + 2 + (4 + 2) + 2 + 1


async def test_reward_of_an_end_does_not_depend_on_when_it_is_visited() -> None:
    trees = [await golden(rollouts=rollouts) for rollouts in range(1, 12)]
    rewards: dict[tuple[str, ...], set[float]] = {}
    for tree in trees:
        for end in tree.terminals():
            path = tuple(f"{tree.nodes[i].action} {bare(tree.nodes[i].step)}" for i in tree.path(end))
            if tree.nodes[end].visits:
                rewards.setdefault(path, set()).add(round(tree.nodes[end].q, 9))
    assert len(rewards) >= 6
    assert all(len(values) == 1 for values in rewards.values())


async def test_unvisited_children_come_in_an_order_by_the_seed() -> None:
    services = word_services(acting())
    orders = set()
    for seed in range(8):
        tree = await Rstar(CONFIG).search(PROBLEM.without_answer(), services, seed)
        again = await Rstar(CONFIG).search(PROBLEM.without_answer(), services, seed)
        assert nodes(tree) == nodes(again)
        orders.add(tuple(sorted(tree.nodes[ROOT].children, key=lambda i: -visiting_order(tree, i))))
    assert len(orders) > 4


async def test_second_policy_decides_the_answer() -> None:
    second = agreeing("=9")
    tree = await golden(second)
    assert tree.answer == "9"
    assert tree.failures == {"no_answer": 2, "no_candidate": 1, DISAGREED: 5}
    assert sorted(shown(second)) == [("a",), ("b",), ("q?3",), ("q?3",), ("r",), ("x",)]
    assert tree.cost.requests == 20 + 6


async def test_each_solution_is_checked_at_several_cuts() -> None:
    second = agreeing("=9")
    tree = await golden(second, checks=4)
    assert (tree.answer, len(shown(second))) == ("9", 4 * 6)
    assert len({request.seed for request in second.requests}) == 4 * 6


async def test_best_score_answers_when_no_solution_survives() -> None:
    tree = await golden(agreeing("=1"))
    assert tree.answer == "7"
    assert tree.failures == {"no_answer": 2, "no_candidate": 1, DISAGREED: 6, NO_SURVIVOR: 1}


async def test_silent_second_policy_agrees_with_no_solution() -> None:
    tree = await golden(agreeing(""))
    assert (tree.answer, tree.failures[DISAGREED], tree.failures[NO_SURVIVOR]) == ("7", 6, 1)


async def test_second_policy_is_not_asked_when_all_solutions_agree() -> None:
    second = agreeing("=9")
    table: Table = {((), A1): ["=7"], ((), A2): ["x =7", "=7.0"]}
    services = word_services(acting(table), second_policy=second)
    tree = await Rstar(CONFIG).search(PROBLEM.without_answer(), services, 1)
    assert (tree.answer, second.requests) == ("7", [])


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
    tree = await golden(second, budget_tokens=200, final_choice="answer")
    assert (tree.nodes[ROOT].visits, second.requests) == (2, [])
    assert tree.failures == {NOT_CHECKED: 1}


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
    policy = ScriptedPolicy(program_table(table))
    config = search_config(
        strategy="rstar", rollouts=9, candidates=1, votes=2, sub_votes=1, actions=(A2, A3, A4), max_actions=3
    )
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
        votes=st.integers(1, 4),
        sub_votes=st.integers(1, 3),
        max_actions=st.integers(2, 5),
        complete_last=st.booleans(),
        unvoted_ends=st.sampled_from(["share", "zero"]),
        final_choice=st.sampled_from(["trajectory", "answer"]),
        keep_failed=st.booleans(),
    ),
    second=st.booleans(),
)
def test_every_tree_follows_the_grammar_and_adds_up(seed: int, config: RstarConfig, second: bool) -> None:
    policy, other = (ScriptedPolicy(random_words(salt), delays=random.Random(salt)) for salt in (seed, seed + 1))
    services = word_services(policy, second_policy=other if second else None)
    tree = asyncio.run(Rstar(config).search(PROBLEM.without_answer(), services, 1))
    assert tree.nodes[ROOT].visits == config.rollouts
    everything = config.final_choice == "answer"
    answers = {tree.nodes[i].answer for i in tree.terminals() if tree.nodes[i].visits or everything}
    assert tree.answer in (answers or {None})
    for index, node in enumerate(tree.nodes):
        so_far = actions_to(tree, index)
        assert len(so_far) <= config.max_actions
        if node.action:
            assert node.action in permitted(so_far[:-1], config.actions, config.max_actions, config.complete_last)
        assert node.replaces_parent is (node.action == A4)
        assert not any(step.is_terminal for step in tree.steps(index)[:-1])
        assert node.multiplicity <= node.votes or not node.votes
        if node.answer is not None and node.visits and node.votes:
            assert node.q == pytest.approx(node.multiplicity / node.votes)
        if not node.is_failed:
            assert 0.0 <= node.value_sum <= node.visits + 1e-9
            below = sum(tree.nodes[child].visits for child in tree.live_children(index))
            assert node.visits == below or not node.is_expanded or not tree.live_children(index)


@pytest.mark.parametrize("code", [True, False])
@pytest.mark.parametrize("final_choice", ["trajectory", "answer"])
async def test_bound_holds_when_everything_is_drawn(code: bool, final_choice: str) -> None:
    config = search_config(
        strategy="rstar", rollouts=6, candidates=2, votes=3, sub_votes=2, max_actions=3, final_choice=final_choice
    )
    policy, second = ScriptedPolicy(HashedText(code)), ScriptedPolicy(HashedText(code, "second"))
    services = replace(code_services(policy) if code else word_services(policy), second_policy=second)
    tree = await Rstar(config).search(PROBLEM, services, 1)
    bound = entry_of(config).bound(config)
    assert 0 < len(second.requests) < tree.cost.requests <= bound.requests
    assert tree.cost.generated_tokens <= bound.tokens
