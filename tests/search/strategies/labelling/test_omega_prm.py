"""OmegaPRM by hand: which rollouts are searched, which prefixes are estimated, which nodes are labelled."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from inspect import cleandoc

import pytest

from search.data import Candidate
from search.strategies.labelling.omega_prm import ENTRY
from search.strategies.registry import build, search_config
from search.tree import ROOT, Tree
from tests.fakes.drawing import draw
from tests.fakes.policy import Request, ScriptedPolicy
from tests.fakes.reward_model import ScriptedRewardModel, step_count
from tests.fakes.services import word_services
from tests.fakes.words import PROBLEM, TOKENS, Words, candidate
from tests.search.strategies.labelling.solutions import graded

ROLLOUTS: dict[Words, list[str]] = {
    (): ["a b c d =8", "e f =7", "a b g h =8", "e f =7"],
    ("a", "b"): ["x =7", "x =7", "y =7", "z z =8"],
    ("a", "b", "c"): ["=8", "!", "y =8", "=8"],
    ("a", "b", "z"): ["=7", "=8", "w =8", "=8"],
    ("a", "b", "z", "z"): ["=8", "=9", "=8", "=8"],
    ("a", "b", "g"): ["=7", "=8", "=7", "=8"],
    ("a", "b", "g", "h"): ["=7", "=7", "=7", "=7"],
}
GOLDEN = """
    0   question                         N 2  Q +0.000  label 0.50 of 4
    1   ├─ a
    2   │  └─ b                          N 1  Q +0.500  label 0.75 of 4
    3   │     ├─ c                                      label 0.00 of 4
    4   │     │  ├─ d
    5   │     │  │  └─ =8                                                incorrect
    21  │     │  ├─ completion =8 x2                                     incorrect
    22  │     │  ├─ completion !                                         no_answer
    23  │     │  └─ completion y
    24  │     │     └─ =8                                                incorrect
    14  │     ├─ completion x x2
    15  │     │  └─ =7 x2                               label 1.00       correct
    16  │     ├─ completion y
    17  │     │  └─ =7                                                   correct
    18  │     └─ completion z                           label 0.25 of 4
    19  │        ├─ z                                   label 0.00 of 4
    20  │        │  ├─ =8                                                incorrect
    29  │        │  ├─ completion =8 x3                                  incorrect
    30  │        │  └─ completion =9                                     incorrect
    25  │        ├─ completion =7                                        correct
    26  │        ├─ completion =8 x2                                     incorrect
    27  │        └─ completion w
    28  │           └─ =8                                                incorrect
    6   ├─ e x2
    7   │  └─ f x2
    8   │     └─ =7 x2                                  label 1.00       correct
    9   └─ a
    10     └─ b                                         label 0.75
    11        └─ g                                      label 0.50 of 4
    12           ├─ h                                   label 1.00 of 4
    13           │  ├─ =8                               label 0.00       incorrect
    33           │  └─ completion =7 x4                                  correct
    31           ├─ completion =7 x2                                     correct
    32           └─ completion =8 x2                                     incorrect
"""


def rollouts(table: Mapping[Words, Sequence[str]]) -> ScriptedPolicy:
    """Return a policy that draws the first n lines of ``table`` for the words so far."""

    def script(request: Request) -> Sequence[Candidate]:
        return [candidate(line) for line in table[request.words][: request.n]]

    return ScriptedPolicy(script)


async def grow(policy: ScriptedPolicy, **options: object) -> Tree:
    config = search_config(strategy="omega_prm", **{"candidates": 4, "search_limit": 3, **options})
    return await build(config).search(PROBLEM, graded(policy), 1)


def prefixes(policy: ScriptedPolicy) -> list[str]:
    return [" ".join(request.words) for request in policy.requests]


def labels(tree: Tree) -> dict[str, float]:
    """Return the label of each labelled step, by the words down to it."""
    return {
        " ".join(step.text.strip() for step in tree.steps(index)): node.label
        for index, node in enumerate(tree.nodes)
        if index != ROOT and node.label is not None
    }


async def test_prefixes_are_estimated_in_the_order_worked_out_by_hand() -> None:
    """MC(question) = 2/4. Both incorrect rollouts have Q = 0.5^0.5 * 0.9^(50/500) = 0.700, so the first one is searched.

    1. a b c d =8 between 0 and 5 steps: a b (3 of 4 correct), a b c (none): c is the first error.
    2. a b g h =8: 0.700 + 0.125 * 1 / 2 = 0.762; a b | z z =8: 0.5^0.25 * 0.9^(30/500) + 0.125 = 0.961. The second is
       searched between 2 and 5 steps: a b z (1 of 4), a b z z (none): the second z is the first error.
    3. a b g h =8: 0.700 + 0.125 * 1.414 / 2 = 0.788; a b z | =8: 0.5^0.75 * 0.9^(10/500) + 0.125 * 1.414 = 0.770, and
       a b z | w =8 less. In the first a b has its estimate; a b g (2 of 4), a b g h (4 of 4): the answer is the error.
    """
    policy = rollouts(ROLLOUTS)
    tree = await grow(policy)
    assert prefixes(policy) == ["", "a b", "a b c", "a b z", "a b z z", "a b g", "a b g h"]
    assert sum(node.completions for node in tree.nodes) == 7 * 4
    drawn = sum(node.tokens * node.multiplicity for node in tree.nodes)
    assert (tree.cost.generated_tokens, tree.cost.requests) == (drawn, 7)
    assert tree.answer is None


async def test_golden_tree() -> None:
    """The searched rollouts are labelled up to their first errors. N counts searches from a state, Q is 2 * MC - 1.

    Beside each searched rollout one correct end of the same state is labelled. ``completion`` stands where rollouts of a
    later state begin.
    """
    tree = await grow(rollouts(ROLLOUTS))
    assert draw(tree) == cleandoc(GOLDEN)


async def test_labels_of_the_paper_alone() -> None:
    tree = await grow(rollouts(ROLLOUTS), label_correct_ends=False)
    assert labels(tree) == {
        "a b": 0.75, "a b c": 0.0,
        "a b z": 0.25, "a b z z": 0.0,
        "a b g": 0.5, "a b g h": 1.0, r"a b g h \boxed{8}": 0.0,
    }  # fmt: skip
    assert tree.nodes[ROOT].label == 0.5
    assert {(node.visits, node.value_sum) for node in tree.nodes if node.visits} == {(2, 0.0), (1, 0.5)}


@pytest.mark.parametrize("lines", [["a =7", "b =7"], ["a =8", "!"], []], ids=["too easy", "too hard", "nothing drawn"])
async def test_nothing_is_searched_when_all_rollouts_end_alike(lines: list[str]) -> None:
    policy = rollouts({(): lines})
    tree = await grow(policy)
    assert (prefixes(policy), labels(tree)) == ([""], {})
    assert tree.nodes[ROOT].completions == len(lines)


async def test_no_solution_is_searched_twice_when_it_is_drawn_twice() -> None:
    """Shorter a =8 comes first. Both incorrect rollouts of a were rollouts of the question too; ! has no answer."""
    table = {(): ["a b =8", "=7", "a =8", "!"], ("a",): ["=8", "=7", "b =8", "!"], ("a", "b"): ["=7"] * 4}
    policy = rollouts(table)
    tree = await grow(policy, search_limit=99, label_correct_ends=False)
    assert prefixes(policy) == ["", "a", "a b"]
    assert labels(tree) == {"a": 0.25, r"a \boxed{8}": 0.0, "a b": 1.0, r"a b \boxed{8}": 0.0}
    assert (tree.nodes[ROOT].visits, sum(node.visits for node in tree.nodes)) == (2, 2)


async def test_policy_that_draws_nothing_leaves_the_error_open() -> None:
    table = {(): ["a b c =8", "=7"], ("a", "b"): ["=7", "=7"], ("a", "b", "c"): []}
    tree = await grow(rollouts(table), label_correct_ends=False, candidates=2)
    assert labels(tree) == {"a b": 1.0}
    assert tree.failures == {"no_candidate": 1}


async def test_search_ends_when_the_token_budget_is_spent() -> None:
    first = 4 * 5 * TOKENS - 4 * TOKENS  # five words twice, three words twice
    policy = rollouts(ROLLOUTS)
    await grow(policy, budget_tokens=first)
    assert prefixes(policy) == [""]
    policy = rollouts(ROLLOUTS)
    await grow(policy, budget_tokens=first + 1)
    assert prefixes(policy) == ["", "a b", "a b c"]


async def test_steps_of_searched_rollouts_are_scored_once() -> None:
    reward_model = ScriptedRewardModel(step_count)
    services = word_services(rollouts(ROLLOUTS), graded=True, reward_model=reward_model)
    config = search_config(strategy="omega_prm", candidates=4, search_limit=3)
    tree = await build(config).search(PROBLEM, services, 1)
    scored = [index for index, node in enumerate(tree.nodes) if node.score is not None]
    # a b c d =8 and a b g h =8 from the question, z z =8 after a b, and correct e f =7 and x =7; y =7 has no turn
    assert len(scored) == 5 + 5 + 3 + 3 + 2


async def test_labels_are_refused_without_a_grader() -> None:
    services = replace(word_services(rollouts(ROLLOUTS)), grader=None)
    with pytest.raises(ValueError, match="need a grader"):
        await build(search_config(strategy="omega_prm")).search(PROBLEM, services, 1)


def test_bound_by_hand() -> None:
    config = search_config(
        strategy="omega_prm", candidates=8, search_limit=3, max_depth=16, max_solution_tokens=100, max_step_tokens=10
    )
    # the question, and 3 searches of log2(16) = 4 midpoints: 13 states, each a request and 8 answers
    assert (ENTRY.bound(config).requests, ENTRY.bound(config).tokens) == (13 * 9, 13 * 8 * 110)


def test_preset_is_that_of_the_paper() -> None:
    config = search_config(preset="omega_prm_paper")
    expected = {
        "candidates": 8, "search_limit": 100, "alpha": 0.5, "beta": 0.9, "length_scale": 500.0, "c_puct": 0.125,
        "label_correct_ends": False,
    }  # fmt: skip
    assert config.model_dump(include=set(expected)) == expected
