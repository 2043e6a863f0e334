"""SPHERE's search: rewards and pruning by hand, the branches that follow from how Sol_max and Sol_min ended."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from inspect import cleandoc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from search import serialization
from search.data import Step, StepStatus
from search.errors import UserError
from search.formats.requests import REFLECT
from search.strategies.entry import Bound
from search.strategies.registry import entry_of, search_config
from search.strategies.tree.sphere import (
    NO_SOLUTION,
    Branch,
    Sphere,
    best_and_worst,
    extremes,
    narrow,
    path_reward,
    step_reward,
)
from search.tree import ROOT, Tree
from tests.fakes.drawing import draw
from tests.fakes.policy import Request, ScriptedPolicy
from tests.fakes.scripts import word_policy
from tests.fakes.services import word_services
from tests.fakes.words import PROBLEM, Words, candidate, word
from tests.search.strategies.tree.test_parallel_rollouts import TABLES
from tests.search.tree_checks import expanded, shape

CONFIG = search_config(strategy="sphere", candidates=3, beam_width=2)

TABLE: dict[Words, list[str]] = {
    (): ["a", "b", "c"],
    ("a",): ["=6", "=7", "e"],
    ("c",): ["f", "=8", "g"],
    ("a", "e"): ["=7", "=5"],
    ("c", "f"): ["=9", "=9"],
}
REWARDS = {
    "a": 0.5, "b": 0.1, "c": -0.2,  # a and c go on
    "=6": 0.6, "=7": 0.9, "e": 0.3,  # below a: R 0.7, 1.3, 0.1: =7 and e are kept, =6 is pruned away
    "f": 0.1, "=8": -0.6, "g": 0.0,  # below c: R 0.4, -1.0, 0.2: f and =8
    "=5": 0.2, "=9": -0.1,  # below e: R 1.5, 0.1; below f: -0.3
}  # fmt: skip


def tree_of(*rewards: float) -> Tree:
    tree = Tree(PROBLEM)
    for reward in rewards:
        tree.add(ROOT, Step(f"{reward}"), logit=math.atanh(reward))
    return tree


def test_progress_by_hand() -> None:
    tree = tree_of(0.2, 0.9)
    up, down = tree.add(1, Step("up"), logit=math.atanh(0.5)), tree.add(2, Step("down"), logit=math.atanh(0.5))
    assert step_reward(tree, 1) == pytest.approx(0.2)
    assert step_reward(tree, up) == pytest.approx(0.8)
    assert step_reward(tree, down) == pytest.approx(0.1)
    assert path_reward(tree, up) == pytest.approx((0.2 + 0.8) / 2)


def test_first_of_the_best_and_last_of_the_worst_are_kept() -> None:
    assert best_and_worst(tree_of(0.1, 0.9, -0.5, 0.9, -0.5), [1, 2, 3, 4, 5]) == [2, 5]
    assert best_and_worst(tree_of(0.1, 0.1), [1, 2]) == [1, 2]
    assert best_and_worst(tree_of(0.1), [1]) == [1]
    assert best_and_worst(tree_of(), []) == []


def test_narrowing_by_hand() -> None:
    tree = tree_of(0.1, 0.9, -0.3, 0.5)
    assert narrow(tree, [1, 2, 3, 4], 4) == [2, 4, 1, 3]
    assert narrow(tree, [1, 2, 3, 4], 3) == [2, 4, 3]
    assert narrow(tree, [1, 2, 3, 4], 2) == [2, 3]
    assert narrow(tree, [1, 2, 3, 4], 1) == [2]


def test_pruned_ends_are_no_solutions_of_the_branch() -> None:
    tree = Tree(PROBLEM)

    def add(parent: int, reward: float, answer: str | None = None) -> int:
        status = StepStatus.OPEN if answer is None else StepStatus.FINAL
        return tree.add(parent, Step("x", status=status, answer=answer), logit=math.atanh(reward), action="generate")

    first, second = add(ROOT, 0.9), add(ROOT, -0.9)
    for i in (first, second):
        tree.nodes[i].action = "generate"
    best, _pruned, _open = add(first, 0.9, "1"), add(first, -0.5, "2"), add(first, -0.6)
    low, high = add(second, -0.8, "3"), add(second, 0.0, "4")
    assert extremes(tree, Branch.GENERATE) == (best, low)
    assert path_reward(tree, high) == pytest.approx((-0.9 + 0.9) / 2)
    assert extremes(tree, Branch.CORRECT_MAX) is None


async def test_golden_tree() -> None:
    """At each node the steps of the highest and of the lowest R = r + (r - r of the step before) are kept. From the question
    a and c go on; below a, =7 (R 1.3) and e (0.1) are kept and =6 (0.7) is not; below c, f (0.4) and =8 (-1.0). Sol_max is
    a =7 with the mean R 0.9, the answer; Sol_min c =8. One is correct and one is not: a pair, so there is no other branch.
    """
    policy = word_policy(TABLE)
    tree = await Sphere(CONFIG).search(PROBLEM, word_services(policy, REWARDS, graded=True), 1)
    assert policy.counts == {(): 1, ("a",): 1, ("c",): 1, ("a", "e"): 1, ("c", "f"): 1}
    assert draw(tree) == cleandoc("""
        0   question        N 6  Q -0.333
        1   ├─ generate a   N 4  Q +0.100  r +0.500
        4   │  ├─ =6        N 1  Q -0.200  r +0.600  incorrect
        5   │  ├─ =7        N 1  Q +0.950  r +0.900  correct    *
        6   │  └─ e         N 2  Q +0.100  r +0.300
        10  │     ├─ =7     N 1  Q +0.950  r +0.900  correct    *
        11  │     └─ =5     N 1  Q -0.400  r +0.200  incorrect
        2   ├─ generate b                  r +0.100
        3   └─ generate c   N 2  Q -0.733  r -0.200
        7      ├─ f         N 1  Q -0.450  r +0.100
        12     │  └─ =9 x2  N 1  Q -0.550  r -0.100  incorrect
        8      ├─ =8        N 1  Q -0.800  r -0.600  incorrect
        9      └─ g                        r +0.000
    """)
    # a =7: (0.5 + 1.3) / 2; a e =7: 2.1 / 3; a e =5: 0.7 / 3; c f =9: -0.1 / 3; c =8: (-0.2 - 1.0) / 2
    assert extremes(tree, Branch.GENERATE) == (5, 8)
    assert (path_reward(tree, 5), path_reward(tree, 8)) == (pytest.approx(0.9), pytest.approx(-0.6))
    assert tree.nodes[5].score == pytest.approx(0.9)  # scored, not only graded
    assert (tree.answer, tree.failures) == ("7", {})
    assert {node.action for node in tree.nodes if node.parent == ROOT} == {"generate"}


async def test_blind_search_has_one_branch_and_no_grade() -> None:
    graded = await Sphere(CONFIG).search(PROBLEM, word_services(word_policy(TABLE), REWARDS, graded=True), 1)
    tree = await Sphere(CONFIG).search(PROBLEM.without_answer(), word_services(word_policy(TABLE), REWARDS), 1)
    assert [row[:2] for row in shape(tree)] == [row[:2] for row in shape(graded)]
    assert {node.correct for node in tree.nodes} == {None}
    assert tree.answer == "7"


async def test_sphere_is_refused_without_a_reward_model() -> None:
    with pytest.raises(
        UserError, match="'sphere' keeps the best and the worst step by reward: it needs a reward model"
    ):
        await Sphere(CONFIG).search(PROBLEM, word_services(word_policy(TABLE)), 1)


def attempt_in(request: Request) -> str:
    """Return the attempt that the policy is to correct, empty without one."""
    assert request.state.problem == PROBLEM
    reflection = request.state.request
    if reflection is None:
        return ""
    assert (reflection.text, reflection.steps_before) == (REFLECT, 0)
    return "".join(step.text for step in reflection.attempt)


def reflecting(
    table: Mapping[Words, Sequence[str]], after: Mapping[str, Mapping[Words, Sequence[str]]] | None = None
) -> ScriptedPolicy:
    """Return a policy that answers from ``table``, and from ``after[attempt]`` once it is shown an attempt."""
    tables = {"": table, **(after or {})}
    return ScriptedPolicy(
        lambda request: [candidate(line) for line in tables[attempt_in(request)][request.words][: request.n]]
    )


def starts(tree: Tree) -> list[tuple[str, str]]:
    """What stands below the root, with its branch."""
    return [(node.action, word(node.step)) for node in tree.nodes if node.parent == ROOT]


async def test_both_are_corrected_when_both_are_incorrect() -> None:
    table: dict[Words, list[str]] = {(): ["=8", "a"], ("a",): ["=9"]}
    after: dict[str, dict[Words, list[str]]] = {
        "\\boxed{8}": {(): ["b", "=7"], ("b",): ["=8"]},
        "a\n\n\\boxed{9}": {(): ["=9", "=8"]},
    }
    policy = reflecting(table, after)
    config = CONFIG.model_copy(update={"instructions": True, "candidates": 2})
    services = word_services(policy, {"=8": 0.5, "=7": 0.8}, graded=True)
    tree = await Sphere(config).search(PROBLEM, services, 1)
    assert [(attempt_in(request), request.words, request.n) for request in policy.requests] == [
        ("", (), 2), ("", ("a",), 2),
        ("\\boxed{8}", (), 2), ("\\boxed{8}", ("b",), 2), ("a\n\n\\boxed{9}", (), 2),
    ]  # fmt: skip
    assert starts(tree) == [
        ("generate", "=8"), ("generate", "a"),
        ("correct_max", "b"), ("correct_max", "=7"), ("correct_min", "=9"), ("correct_min", "=8"),
    ]  # fmt: skip
    corrected = extremes(tree, Branch.CORRECT_MAX)
    assert corrected is not None
    assert [[word(s) for s in tree.steps(i)] for i in corrected] == [["=7"], ["b", "=8"]]  # the attempt is not in them
    assert tree.nodes[corrected[0]].correct
    assert tree.answer == "8"  # Sol_max of the first branch: the answer knows no grade
    assert tree.problem == PROBLEM


async def test_incorrect_solution_is_drawn_anew_without_instructions() -> None:
    policy = reflecting({(): ["=8", "=7"]})
    services = word_services(policy, {"=8": 0.5}, graded=True, second_policy=policy)
    tree = await Sphere(CONFIG).search(PROBLEM, services, 1)
    assert starts(tree) == [("generate", "=8"), ("generate", "=7"), ("correct_max", "=8"), ("correct_max", "=7")]
    assert len({request.seed for request in policy.requests}) == 2


async def test_single_solution_is_corrected_once() -> None:
    services = word_services(reflecting({(): ["=8"]}), {}, graded=True)
    tree = await Sphere(CONFIG).search(PROBLEM, services, 1)
    assert starts(tree) == [("generate", "=8"), ("correct_max", "=8")]


async def test_second_policy_searches_when_both_are_correct() -> None:
    table = {(): ["=7", "a"], ("a",): ["=7"]}
    policy, second = reflecting(table), reflecting({(): ["=7", "=5", "=6", "=7"]})
    config = CONFIG.model_copy(update={"candidates": 2})
    rewards = {"=7": 0.9, "=5": 0.3, "=6": -0.3}
    services = word_services(policy, rewards, graded=True, second_policy=second)
    tree = await Sphere(config).search(PROBLEM, services, 1)
    assert [request.n for request in (*policy.requests, *second.requests)] == [2, 2, 4]
    assert starts(tree)[2:] == [("diversify", "=7"), ("diversify", "=5"), ("diversify", "=6")]
    diverse = extremes(tree, Branch.DIVERSIFY)
    assert diverse is not None
    assert [tree.nodes[i].answer for i in diverse] == ["7", "6"]
    assert tree.cost.generated_tokens == 20 + 10 + 40  # the second policy's count
    alone = await Sphere(config).search(PROBLEM, replace(services, policy=reflecting(table), second_policy=None), 1)
    assert {action for action, _ in starts(alone)} == {"generate"}


async def test_branch_without_an_answer_is_counted() -> None:
    tree = await Sphere(CONFIG).search(PROBLEM, word_services(word_policy({(): ["!", "!!"]}), {}, graded=True), 1)
    assert (tree.answer, tree.failures) == (None, {"no_answer": 2, NO_SOLUTION: 1})
    assert extremes(tree, Branch.GENERATE) is None


async def test_no_depth_begins_when_the_budget_is_exhausted() -> None:
    config = CONFIG.model_copy(update={"budget_tokens": 50})  # the question 30, a and c 30 each
    tree = await Sphere(config).search(PROBLEM, word_services(word_policy(TABLE), REWARDS, graded=True), 1)
    assert expanded(tree) == ["", "a", "c"]
    assert (tree.cost.generated_tokens, tree.answer) == (90, "7")


def test_bound_has_room_for_three_branches_of_the_policy() -> None:
    """4 depths of 3 nodes are 12 expansions of 2 x 5 tokens; the second policy draws twice the candidates."""
    config = search_config(strategy="sphere", candidates=2, beam_width=3, max_depth=4, max_step_tokens=5)
    assert entry_of(config).bound(config) == Bound(3 * 12, 3 * 120 + 240, 240)


@settings(max_examples=60, deadline=None)
@given(
    table=TABLES,
    rewards=st.dictionaries(st.sampled_from(["0", "1", "2", "=7", "=8", "=9"]), st.floats(-0.9, 0.9)),
    width=st.integers(1, 4),
    graded=st.booleans(),
)
def test_work_is_bounded_and_grades_never_shape_a_branch(
    table: dict[Words, list[str]], rewards: dict[str, float], width: int, graded: bool
) -> None:
    config = search_config(strategy="sphere", candidates=4, beam_width=width, max_depth=4)
    second = word_policy(table)
    services = replace(word_services(word_policy(table), rewards, graded=graded), second_policy=second)
    tree = asyncio.run(Sphere(config).search(PROBLEM, services, 1))
    blind = asyncio.run(Sphere(config).search(PROBLEM.without_answer(), word_services(word_policy(table), rewards), 1))
    first = len(blind.nodes)
    assert [(n.parent, n.step, n.action) for n in tree.nodes[:first]] == [
        (n.parent, n.step, n.action) for n in blind.nodes
    ]
    assert tree.answer == blind.answer
    for branch in Branch:
        begun = [i for i in range(1, len(tree.nodes)) if tree.nodes[tree.path(i)[0]].action == branch]
        assert sum(tree.nodes[i].is_expanded for i in begun) <= width * (config.max_depth - 1)
        ends = extremes(tree, branch)
        if ends is not None:
            assert path_reward(tree, ends[0]) >= path_reward(tree, ends[1])
            assert extremes(serialization.load(Tree, serialization.dump(tree)), branch) == ends
    assert len({action for action, _ in starts(tree)}) <= (3 if graded else 1)
