"""SPHERE's search: rewards and pruning by hand, the branches that follow from how Sol_max and Sol_min ended."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from search import serialization
from search.data import Proposal, Sampling, State, Step, StepStatus
from search.errors import UserError
from search.strategies.registry import search_config
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
from tests.fakes.scripts import word_policy
from tests.fakes.services import word_services
from tests.fakes.words import PROBLEM, Words, candidate, word, words
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
        tree.add(ROOT, Step(f"{reward}"), score=reward)
    return tree


def test_progress_by_hand() -> None:
    tree = tree_of(0.2, 0.9)
    up, down = tree.add(1, Step("up"), score=0.5), tree.add(2, Step("down"), score=0.5)
    assert step_reward(tree, 1) == 0.2
    assert step_reward(tree, up) == pytest.approx(0.8)
    assert step_reward(tree, down) == pytest.approx(0.1)
    assert path_reward(tree, up) == pytest.approx((0.2 + 0.8) / 2)


def test_the_first_of_the_best_and_the_last_of_the_worst_are_kept() -> None:
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


def test_ends_that_were_pruned_away_are_no_solution_of_the_branch() -> None:
    tree = Tree(PROBLEM)

    def add(parent: int, reward: float, answer: str | None = None) -> int:
        status = StepStatus.OPEN if answer is None else StepStatus.FINAL
        return tree.add(parent, Step("x", status=status, answer=answer), score=reward, action="generate")

    first, second = add(ROOT, 0.9), add(ROOT, -0.9)
    for i in (first, second):
        tree.nodes[i].action = "generate"
    best, _pruned, _open = add(first, 0.9, "1"), add(first, -0.5, "2"), add(first, -0.6)
    low, high = add(second, -0.8, "3"), add(second, 0.0, "4")
    assert extremes(tree, Branch.GENERATE) == (best, low)
    assert path_reward(tree, high) == pytest.approx((-0.9 + 0.9) / 2)
    assert extremes(tree, Branch.CORRECT_MAX) is None


async def test_golden_tree_of_a_right_and_a_wrong_solution() -> None:
    policy = word_policy(TABLE)
    tree = await Sphere(CONFIG).search(PROBLEM, word_services(policy, REWARDS, graded=True), 1)
    assert policy.requests == {(): 1, ("a",): 1, ("c",): 1, ("a", "e"): 1, ("c", "f"): 1}
    assert [(n.parent, word(n.step), n.correct, n.visits) for n in tree.nodes] == [
        (-1, "", None, 6),
        (0, "a", None, 4),
        (0, "b", None, 0),
        (0, "c", None, 2),
        (1, "=6", False, 1),
        (1, "=7", True, 1),
        (1, "e", None, 2),
        (3, "f", None, 1),
        (3, "=8", False, 1),
        (3, "g", None, 0),
        (6, "=7", True, 1),
        (6, "=5", False, 1),
        (7, "=9", False, 1),
    ]
    # a =7: (0.5 + 1.3) / 2; a e =7: 2.1 / 3; a e =5: 0.7 / 3; c f =9: -0.1 / 3; c =8: (-0.2 - 1.0) / 2
    assert extremes(tree, Branch.GENERATE) == (5, 8)
    assert (path_reward(tree, 5), path_reward(tree, 8)) == (pytest.approx(0.9), pytest.approx(-0.6))
    assert tree.nodes[5].score == pytest.approx(0.9)  # scored, not only graded
    assert (tree.answer, tree.failures) == ("7", {})
    assert {node.action for node in tree.nodes if node.parent == ROOT} == {"generate"}


async def test_blind_there_is_one_branch_and_no_grade() -> None:
    graded = await Sphere(CONFIG).search(PROBLEM, word_services(word_policy(TABLE), REWARDS, graded=True), 1)
    tree = await Sphere(CONFIG).search(PROBLEM.without_answer(), word_services(word_policy(TABLE), REWARDS), 1)
    assert [row[:2] for row in shape(tree)] == [row[:2] for row in shape(graded)]
    assert {node.correct for node in tree.nodes} == {None}
    assert tree.answer == "7"


async def test_without_a_reward_model_it_is_refused() -> None:
    with pytest.raises(
        UserError, match="'sphere' keeps the best and the worst step by reward: it needs a reward model"
    ):
        await Sphere(CONFIG).search(PROBLEM, word_services(word_policy(TABLE)), 1)


@dataclass
class Reflecting:
    """Answers from ``table``, and once it is shown an attempt from ``after``, by the attempt's words."""

    table: Mapping[Words, Sequence[str]]
    after: Mapping[str, Mapping[Words, Sequence[str]]]
    requests: list[tuple[str, Words, int]] = field(default_factory=list)
    seeds: list[int] = field(default_factory=list)

    async def propose(self, state: State, n: int, sampling: Sampling, seed: int) -> Proposal:
        attempt, table = "", self.table
        if "Here is an attempt" in state.problem.question:
            assert state.problem.question.startswith(PROBLEM.question)
            attempt = state.problem.question.split("problem:\n\n")[1].split("\n\nIts answer")[0]
            table = self.after[attempt]
        self.requests.append((attempt, words(state), n))
        self.seeds.append(seed)
        return Proposal(tuple(candidate(line) for line in table[words(state)][:n]))


def starts(tree: Tree) -> list[tuple[str, str]]:
    """What stands below the root, with its branch."""
    return [(node.action, word(node.step)) for node in tree.nodes if node.parent == ROOT]


async def test_both_wrong_both_are_corrected() -> None:
    table: dict[Words, list[str]] = {(): ["=8", "a"], ("a",): ["=9"]}
    after: dict[str, dict[Words, list[str]]] = {
        "\\boxed{8}": {(): ["b", "=7"], ("b",): ["=8"]},
        "a\n\n\\boxed{9}": {(): ["=9", "=8"]},
    }
    policy = Reflecting(table, after)
    config = CONFIG.model_copy(update={"instructions": True, "candidates": 2})
    services = replace(word_services(word_policy({}), {"=8": 0.5, "=7": 0.8}, graded=True), policy=policy)
    tree = await Sphere(config).search(PROBLEM, services, 1)
    assert policy.requests == [
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


async def test_only_the_wrong_one_is_corrected_and_without_instructions_drawn_anew() -> None:
    policy = Reflecting({(): ["=8", "=7"]}, {})
    services = replace(word_services(word_policy({}), {"=8": 0.5}, graded=True), policy=policy, second_policy=policy)
    tree = await Sphere(CONFIG).search(PROBLEM, services, 1)
    assert starts(tree) == [("generate", "=8"), ("generate", "=7"), ("correct_max", "=8"), ("correct_max", "=7")]
    assert len(set(policy.seeds)) == 2


async def test_one_solution_is_corrected_once() -> None:
    policy = Reflecting({(): ["=8"]}, {})
    services = replace(word_services(word_policy({}), {}, graded=True), policy=policy)
    tree = await Sphere(CONFIG).search(PROBLEM, services, 1)
    assert starts(tree) == [("generate", "=8"), ("correct_max", "=8")]


async def test_both_right_the_second_policy_looks_for_wrong_ones_with_twice_the_candidates() -> None:
    policy, second = Reflecting({(): ["=7", "a"], ("a",): ["=7"]}, {}), Reflecting({(): ["=7", "=5", "=6", "=7"]}, {})
    config = CONFIG.model_copy(update={"candidates": 2})
    rewards = {"=7": 0.9, "=5": 0.3, "=6": -0.3}
    services = replace(word_services(word_policy({}), rewards, graded=True), policy=policy, second_policy=second)
    tree = await Sphere(config).search(PROBLEM, services, 1)
    assert [asked for *_, asked in (*policy.requests, *second.requests)] == [2, 2, 4]
    assert starts(tree)[2:] == [("diversify", "=7"), ("diversify", "=5"), ("diversify", "=6")]
    found = extremes(tree, Branch.DIVERSIFY)
    assert found is not None
    assert [tree.nodes[i].answer for i in found] == ["7", "6"]
    assert tree.cost.generated_tokens == 20 + 10 + 40  # the second policy's count
    alone = await Sphere(config).search(
        PROBLEM, replace(services, policy=Reflecting(policy.table, {}), second_policy=None), 1
    )
    assert {action for action, _ in starts(alone)} == {"generate"}


async def test_a_branch_without_an_answer_is_counted() -> None:
    tree = await Sphere(CONFIG).search(PROBLEM, word_services(word_policy({(): ["!", "!!"]}), {}, graded=True), 1)
    assert (tree.answer, tree.failures) == (None, {"no_answer": 2, NO_SOLUTION: 1})
    assert extremes(tree, Branch.GENERATE) is None


async def test_no_depth_begins_once_the_budget_is_spent() -> None:
    config = CONFIG.model_copy(update={"budget_tokens": 50})  # the question 30, a and c 30 each
    tree = await Sphere(config).search(PROBLEM, word_services(word_policy(TABLE), REWARDS, graded=True), 1)
    assert expanded(tree) == ["", "a", "c"]
    assert (tree.cost.generated_tokens, tree.answer) == (90, "7")


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
        found = extremes(tree, branch)
        if found is not None:
            assert path_reward(tree, found[0]) >= path_reward(tree, found[1])
            assert extremes(serialization.load(Tree, serialization.dump(tree)), branch) == found
    assert len({action for action, _ in starts(tree)}) <= (3 if graded else 1)
