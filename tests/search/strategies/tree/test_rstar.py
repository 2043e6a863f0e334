"""rStar: a golden tree node by node, what it never sees, code, and what holds for every tree."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.search.strategies.tree.acting import ActingPolicy, Agreeable, acting_services, drawn

from search.data import Candidate, Finish, Proposal, Sampling, Scores, State, Until
from search.formats.code_format import CodeFormat
from search.protocols import SearchServices
from search.strategies.registry import search_config
from search.strategies.tree.mutual_consistency import DISAGREED, NO_SURVIVOR, NOT_CHECKED
from search.strategies.tree.rstar import Rstar, RstarConfig
from search.strategies.tree.rstar_actions import Action, actions_to, permitted
from search.tree import ROOT, Tree
from tests.fakes.words import PROBLEM, Words, candidate
from tests.search.conftest import SumExecutor, last

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

TABLE: dict[tuple[Words, Action | None], list[str]] = {
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

THIRD = 1 / 3


class Unasked:
    """rStar has no use for rewards."""

    async def score(self, states: Sequence[State]) -> Scores:
        raise AssertionError("a reward model was asked")


async def golden(second: Agreeable | None = None) -> Tree:
    return await Rstar(CONFIG).search(PROBLEM.without_answer(), acting_services(ActingPolicy(TABLE), second), 1)


def test_the_paper_s_settings() -> None:
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
    tree = await golden()
    expected = [
        # rollout 1 expands the question and a: answers 7 (x), 8, 7 → 8 has 1/3
        # rollout 2 expands b: answers 7, 8, 7, 7, 7 → 4/5; rollout 3 goes to the end of x: 4/5
        # rollout 4 expands s: answers 7 five times, 8, 9 twice → 9 has 1/4
        # rollout 5 expands r: 7 six times, 8, 9 twice → 2/3
        # rollout 6: Q 1/3, 4/5, 4/5, 1/4, 2/3, all with 2 * sqrt(ln 5) → b: 2/3
        # rollout 7: b has 0.733 + 2 * sqrt(ln 6 / 2) = 2.626, x 0.8 + 2 * sqrt(ln 6) = 3.477 → x: 2/3
        # rollout 8: r has 0.667 + 2 * sqrt(ln 7) = 3.457, a 3.123 → r, there v, expanded: 8 has 2/10
        (0, "A1", "a", 1, THIRD),
        (0, "A1", "b", 2, 0.8 + 2 / 3),
        (0, "A2", "x", 2, 0.8 + 2 / 3),
        (3, "", "=7", 2, 0.8 + 2 / 3),
        (0, "A3", "q?s", 1, 0.25),
        (0, "A5", "r", 2, 2 / 3 + 0.2),
        (1, "A1", "=8", 1, THIRD),
        (1, "A1", "c", 0, 0.0),
        (1, "A2", "=7", 0, 0.0),
        (2, "A1", "=7", 2, 0.8 + 2 / 3),
        (2, "A2", "!", 0, 0.0),
        (5, "A1", "=9", 1, 0.25),
        (5, "A2", "=7", 0, 0.0),
        (5, "A3", "d", 0, 0.0),
        (5, "A4", "q?t", 0, 0.0),
        (6, "A1", "=7", 1, 2 / 3),
        (6, "A2", "", 0, 0.0),
        (6, "A3", "u?v", 1, 0.2),
        (18, "A2", "=8", 1, 0.2),
    ]
    assert [row[:4] for row in drawn(tree)] == [row[:4] for row in expected]
    assert [row[4] for row in drawn(tree)] == pytest.approx([row[4] for row in expected])
    assert (tree.nodes[ROOT].visits, tree.nodes[10].multiplicity, tree.nodes[5].multiplicity) == (8, 2, 2)
    assert tree.failures == {"no_answer": 2, "no_candidate": 1}
    assert [text.text for text in tree.steps(15)] == ["Step 1: Smaller question:q?t\n\n"]
    # path a and 8: Q 1/3 * confidence 0.2; x: Q 0.733 * 0.6; b the same; s: 0.25 * 0.2; r: (0.433 + 0.667) / 2 * 0.6; …
    assert tree.answer == "7"


async def test_requests_by_action() -> None:
    policy = ActingPolicy(TABLE)
    await Rstar(CONFIG).search(PROBLEM.without_answer(), acting_services(policy), 1)
    assert policy.asked[:4] == [
        ((), A1, "", 2, Until.STEP),
        ((), A2, "", 1, Until.PAUSE),
        ((), A3, "Step 1: Smaller question:", 2, Until.STEP),
        ((), A5, "Step 1: In other words:", 1, Until.STEP),
    ]
    assert [asked for asked in policy.asked if asked[1] is A4] == [
        ((), A4, "Step 1: Smaller question:q?", 1, Until.STEP)  # the sub-question stays, its answer goes
    ]
    assert policy.asked[-1] == (("r", "u?v"), A2, "", 1, Until.PAUSE)  # the third of three actions
    assert len(policy.asked) == 4 + 2 + 2 + 4 + 3 + 1


async def test_the_second_policy_decides_which_answer_it_is() -> None:
    second = Agreeable("=9")
    tree = await golden(second)
    assert tree.answer == "9"
    assert tree.failures == {"no_answer": 2, "no_candidate": 1, DISAGREED: 5}
    assert sorted(second.shown[:5]) == [("a",), ("b",), ("q?s",), ("r",), ("x",)]
    assert second.shown[5] in [("r",), ("r", "u?v")]  # two thirds or one of three steps
    assert tree.cost.requests == 16 + 6


async def test_without_a_survivor_the_best_score_answers_and_the_tree_says_so() -> None:
    tree = await golden(Agreeable("=1"))
    assert tree.answer == "7"
    assert tree.failures == {"no_answer": 2, "no_candidate": 1, DISAGREED: 6, NO_SURVIVOR: 1}


async def test_a_second_policy_with_nothing_to_say_agrees_with_nothing() -> None:
    tree = await golden(Agreeable(""))
    assert (tree.answer, tree.failures[DISAGREED], tree.failures[NO_SURVIVOR]) == ("7", 6, 1)


@pytest.mark.parametrize("reference", ["7", "8", "1"])
async def test_the_tree_is_the_same_whatever_the_reference_answer(reference: str) -> None:
    blind = await golden(Agreeable("=9"))
    services = replace(acting_services(ActingPolicy(TABLE), Agreeable("=9"), graded=True), reward_model=Unasked())
    eager = CONFIG.model_copy(
        update={"stop_after_correct": 1, "stop_after_incorrect": 1}
    )  # there is nothing to count while it grows
    seen = await Rstar(eager).search(replace(PROBLEM, answer=reference), services, 1)
    assert drawn(seen) == drawn(blind)
    assert (seen.answer, seen.failures) == (blind.answer, blind.failures)
    assert not any(node.correct is not None for node in blind.nodes)
    assert {seen.nodes[i].answer for i in seen.terminals() if seen.nodes[i].correct} == {reference} - {"1"}
    assert all(seen.nodes[i].correct is not None for i in seen.terminals())


async def test_the_budget_is_looked_at_between_rollouts_and_before_the_second_policy() -> None:
    second = Agreeable("=9")
    config = CONFIG.model_copy(update={"budget_tokens": 1})
    tree = await Rstar(config).search(PROBLEM.without_answer(), acting_services(ActingPolicy(TABLE), second), 1)
    assert (tree.nodes[ROOT].visits, second.shown) == (1, [])
    assert (tree.answer, tree.failures) == ("8", {NOT_CHECKED: 1})


async def test_a_tree_without_an_answer_has_none() -> None:
    tree = await Rstar(CONFIG).search(PROBLEM.without_answer(), acting_services(ActingPolicy({}), Agreeable("=9")), 1)
    assert (tree.answer, tree.nodes[ROOT].visits, tree.nodes[ROOT].value_sum) == (None, 8, 0.0)
    assert tree.failures == {"no_candidate": 4, "no_answer": 1}


async def test_too_deep_is_counted_where_no_action_ends_a_solution() -> None:
    config = CONFIG.model_copy(update={"actions": (A1,), "max_actions": 2, "rollouts": 1})
    table = {((), A1): ["a"], (("a",), A1): ["b"]}
    tree = await Rstar(config).search(PROBLEM.without_answer(), acting_services(ActingPolicy(table)), 1)
    assert drawn(tree) == [(0, "A1", "a", 1, 0.0), (1, "A1", "b", 1, 0.0)]
    assert tree.failures == {"too_deep": 1}


@dataclass
class Coder:
    """Code: what to write by the text of the steps so far; records it with the question."""

    table: dict[str, Sequence[str]]
    asked: list[str] = field(default_factory=list)

    async def propose(self, state: State, n: int, sampling: Sampling, seed: int) -> Proposal:
        assert state.problem.question == PROBLEM.question  # no instructions
        text = "".join(step.text for step in state.steps)
        self.asked.append(text)
        found = self.table[text]
        if found == "output":
            found = [f"\\boxed{{{state.steps[-1].output}}}<end_of_answer>"]
        elif sampling.until is Until.PAUSE:
            found = [line for line in found if line.endswith("<end_of_code>")]
        return Proposal(tuple(Candidate(line, (1,), Finish.STOP) for line in found[:n]))


async def test_actions_are_ways_of_drawing_code() -> None:
    left, other = "# How many?\nleft = 3<end_of_step>", "left = 7<end_of_step>"
    table: dict[str, Sequence[str]] = {
        "": [left, last("print(1)")],
        left: [last("print(3)")],
        "# How many?\n": [other],
        "# How many?\n" + other: [last("print(7)")],
        last("print(1)"): "output",
        left + last("print(3)"): "output",
        "# How many?\n" + other + last("print(7)"): "output",
    }
    policy = Coder(table)
    config = search_config(strategy="rstar", rollouts=9, candidates=1, actions=(A2, A3, A4), max_actions=3)
    tree = await Rstar(config).search(
        PROBLEM.without_answer(), SearchServices(policy=policy, executor=SumExecutor(), format=CodeFormat()), 1
    )
    # A2 → print(1); A3 → left = 3, A4 below it → left = 7 in its place
    again = next(i for i, node in enumerate(tree.nodes) if node.replaces_parent)
    assert (tree.nodes[again].action, [s.code for s in tree.steps(again)]) == ("A4", ["# How many?\nleft = 7"])
    ends = {tree.nodes[i].answer: [s.code for s in tree.steps(i)] for i in tree.terminals()}
    assert ends["7"] == ["# How many?\nleft = 7", "print(7)", ""]
    assert ends["3"] == ["# How many?\nleft = 3", "print(3)", ""]
    assert actions_to(tree, next(tree.terminals())) == (A2,)


@dataclass
class Chance:
    """Any word, by the seed: some steps fail, some end, some ask."""

    seed: int

    async def propose(self, state: State, n: int, sampling: Sampling, seed: int) -> Proposal:
        rng = random.Random(f"{self.seed} {seed}")
        for _ in range(rng.randrange(4)):
            await asyncio.sleep(0)
        lines = [rng.choice(["a", "b", "q?c", "=7", "=8", "a =7", "b !", "!"]) for _ in range(n)]
        if sampling.until is Until.STEP:
            lines = [line.split(" =")[0].split(" !")[0] for line in lines]
        return Proposal(tuple(candidate(line) for line in lines))


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
def test_every_tree_keeps_to_the_grammar_and_adds_up(seed: int, config: RstarConfig, second: bool) -> None:
    policy = Chance(seed)
    services = replace(acting_services(policy), second_policy=Chance(seed + 1) if second else None)  # type: ignore[arg-type]
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
        assert not any(one.is_terminal for one in tree.steps(index)[:-1])
        if not node.is_failed:
            assert 0.0 <= node.value_sum <= node.visits
            below = sum(tree.nodes[child].visits for child in tree.live_children(index))
            assert node.visits == below or not node.is_expanded or not tree.live_children(index)
