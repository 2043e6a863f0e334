"""First-error search: a golden tree, and by hand the prefixes that binary search completes."""

from __future__ import annotations

import asyncio
import math
from collections import Counter
from inspect import cleandoc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from search.data import LabelScale, State
from search.strategies.labelling.first_error_search import find_first_error
from search.strategies.labelling.math_shepherd import label_every_step
from search.strategies.registry import build, search_config
from tests.fakes.drawing import draw
from tests.fakes.policy import ScriptedPolicy
from tests.fakes.scripts import completions_by_length, completions_by_word
from tests.fakes.words import PROBLEM, TOKENS
from tests.search.strategies.labelling.solutions import completions, graded, prefix_lengths, solution
from tests.search.strategies.labelling.test_step_labelling import SOLUTIONS, labels

CORRECT = {"a": 3, "b": 1, "d": 2}


async def test_golden_tree() -> None:
    """Four solutions are drawn, two of them the same. Binary search in a b c =8 completes a b first (1 of 4 ends in 7:
    correct so far), then a b c (none does): c is the first error, so a and b are labelled 1, c 0, and what follows has no
    label. In a b d =8 only the answer is incorrect. e =7 is correct: all its steps are, and nothing is completed.
    """
    policy = ScriptedPolicy(completions_by_word(CORRECT, SOLUTIONS))
    config = search_config(strategy="first_error_search", candidates=4, solutions=4)
    tree = await build(config).search(PROBLEM, graded(policy), 1)
    assert draw(tree) == cleandoc("""
        0   question
        1   ├─ a x2                      label 1.00
        2   │  └─ b x2                   label 1.00 of 4
        3   │     ├─ c x2                label 0.00 of 4
        4   │     │  ├─ =8 x2                             incorrect
        19  │     │  ├─ completion w0
        20  │     │  │  └─ =8                             incorrect
        21  │     │  ├─ completion w1
        22  │     │  │  └─ =8                             incorrect
        23  │     │  ├─ completion w2
        24  │     │  │  └─ =8                             incorrect
        25  │     │  └─ completion w3
        26  │     │     └─ =8                             incorrect
        11  │     ├─ completion w
        12  │     │  └─ =7                                correct
        13  │     ├─ completion w1
        14  │     │  └─ =8                                incorrect
        15  │     ├─ completion w2
        16  │     │  └─ =8                                incorrect
        17  │     └─ completion w3
        18  │        └─ =8                                incorrect
        5   ├─ a                         label 1.00
        6   │  └─ b                      label 1.00
        7   │     └─ d                   label 1.00 of 4
        8   │        ├─ =8               label 0.00       incorrect
        27  │        ├─ completion w x2
        28  │        │  └─ =7 x2                          correct
        29  │        ├─ completion w2
        30  │        │  └─ =8                             incorrect
        31  │        └─ completion w3
        32  │           └─ =8                             incorrect
        9   └─ e                         label 1.00
        10     └─ =7                     label 1.00       correct
    """)
    assert tree.answer is None


async def test_first_error_takes_few_completions() -> None:
    policy = ScriptedPolicy(completions_by_word(CORRECT, SOLUTIONS))
    config = search_config(strategy="first_error_search", candidates=4, solutions=4)
    tree = await build(config).search(PROBLEM, graded(policy), 1)
    by_path = labels(tree)
    assert [by_path[path][0] for path in (("a",), ("a", "b"), ("a", "b", "c"))] == [1.0, 1.0, 0.0]
    assert [by_path[path][0] for path in (("e",), ("e", "\\boxed{7}"))] == [1.0, 1.0]
    assert policy.counts == Counter({(): 1, ("a", "b"): 1, ("a", "b", "c"): 1, ("a", "b", "d"): 1})
    assert sum(node.completions for node in tree.nodes) == 3 * 4


async def test_binary_search_in_eight_steps_by_hand() -> None:
    policy = ScriptedPolicy(completions_by_length({1: 8, 2: 6, 3: 7, 4: 1}))
    labelled = await find_first_error(solution(8), completions(policy))
    assert labelled.record.scale is LabelScale.SIGN
    assert labelled.record.labels == (1, 1, 1, 1, -1)
    assert labelled.record.steps == solution(8).steps
    assert Counter(prefix_lengths(policy)) == Counter((4, 6, 5))
    assert (labelled.completions, labelled.cost.generated_tokens) == (24, 24 * 2 * TOKENS)


@pytest.mark.parametrize(
    ("steps", "error", "lengths"),
    [(1, 1, []), (2, 1, [1]), (2, 2, [1]), (3, 3, [1, 2]), (7, 1, [3, 1]), (8, 1, [4, 2, 1]), (8, 8, [4, 6, 7])],
)
async def test_prefixes_that_binary_search_completes(steps: int, error: int, lengths: list[int]) -> None:
    policy = ScriptedPolicy(completions_by_length(dict.fromkeys(range(1, error), 1)))
    labelled = await find_first_error(solution(steps), completions(policy))
    assert prefix_lengths(policy) == lengths
    assert labelled.record.labels == (1.0,) * (error - 1) + (-1.0,)
    assert labelled.completions == 8 * len(lengths)


async def test_correct_solution_needs_no_completion() -> None:
    policy = ScriptedPolicy(completions_by_length({}))
    labelled = await find_first_error(solution(6, "7"), completions(policy))
    assert (labelled.record.labels, labelled.completions) == ((1.0,) * 6, 0)
    assert policy.requests == []


async def test_unfinished_solution_is_completed_from_its_end_first() -> None:
    unfinished = State(PROBLEM, solution(8).steps[:4])
    policy = ScriptedPolicy(completions_by_length({4: 1}))
    labelled = await find_first_error(unfinished, completions(policy))
    assert labelled.record.labels == (1, 1, 1, 1)
    assert prefix_lengths(policy) == [4]
    policy = ScriptedPolicy(completions_by_length({1: 1, 2: 1}))
    labelled = await find_first_error(unfinished, completions(policy))
    assert (labelled.record.labels, labelled.completions) == ((1, 1, -1), 24)
    assert prefix_lengths(policy) == [4, 2, 3]


async def test_solution_has_no_labels_when_nothing_was_drawn() -> None:
    policy = ScriptedPolicy(completions_by_length({1: 8, 2: 4}, silent={3, 4}))
    labelled = await find_first_error(solution(5), completions(policy))
    assert (labelled.record.labels, labelled.completions) == ((), 8)  # 2 is correct; of 3 there is no estimate


@settings(deadline=None)
@given(st.integers(1, 40), st.data())
def test_binary_search_agrees_with_labels_of_every_step(steps: int, data: st.DataObject) -> None:
    error = data.draw(st.integers(1, steps))
    script = completions_by_length({length: data.draw(st.integers(1, 4)) for length in range(1, error)})
    every = asyncio.run(label_every_step(solution(steps), completions(ScriptedPolicy(script), 4)))
    search = asyncio.run(find_first_error(solution(steps), completions(ScriptedPolicy(script), 4)))
    assert every.record.labels.index(0.0) == search.record.labels.index(-1.0) == error - 1
    assert every.completions == 4 * (steps - 1)
    assert search.completions <= 4 * math.ceil(math.log2(steps))


@settings(deadline=None)
@given(st.integers(2, 12), st.sets(st.integers(1, 11)))
def test_first_error_is_a_step_where_correct_turns_incorrect(steps: int, correct: set[int]) -> None:
    """Also where an incorrect step is followed by correct ones, so that there are several such places."""
    policy = ScriptedPolicy(completions_by_length(dict.fromkeys(correct, 1)))
    labelled = asyncio.run(find_first_error(solution(steps), completions(policy)))
    place = labelled.record.labels.index(-1.0)
    assert place + 1 == steps or place + 1 not in correct
    assert place == 0 or place in correct
