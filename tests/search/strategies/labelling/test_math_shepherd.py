"""Math-Shepherd: a golden tree, and the share of every step by hand."""

from __future__ import annotations

from collections import Counter
from inspect import cleandoc

from search.data import LabelScale
from search.strategies.labelling.math_shepherd import label_every_step
from search.strategies.labelling.monte_carlo_labels import COMPLETION
from search.strategies.registry import build, search_config
from tests.fakes.drawing import draw
from tests.fakes.policy import ScriptedPolicy
from tests.fakes.scripts import completions_by_length, completions_by_word
from tests.fakes.words import PROBLEM, TOKENS, candidate
from tests.search.strategies.labelling.solutions import completions, graded, prefix_lengths, solution
from tests.search.strategies.labelling.test_step_labelling import SOLUTIONS, labels

CORRECT = {"a": 3, "b": 1, "c": 0, "d": 2, "e": 4}


async def test_golden_tree() -> None:
    """Four solutions are drawn, two of them the same. Every step's label is the share of its 4 completions that end in 7:
    3 of 4 after a, 1 of 4 after a b. A prefix that solutions share (a, a b) is completed once. The last step of a solution
    is not completed: its label is its grade. The completions stay below the step that they continue, as graded solutions
    without labels. No tree answers: it is grown for its labels.
    """
    policy = ScriptedPolicy(completions_by_word(CORRECT, SOLUTIONS))
    config = search_config(strategy="math_shepherd", candidates=4, solutions=4)
    tree = await build(config).search(PROBLEM, graded(policy), 1)
    assert draw(tree) == cleandoc("""
        0   question
        1   ├─ a x2                      label 0.75 of 4
        2   │  ├─ b x2                   label 0.25 of 4
        3   │  │  ├─ c x2                label 0.00 of 4
        4   │  │  │  ├─ =8 x2            label 0.00       incorrect
        23  │  │  │  ├─ completion w0
        24  │  │  │  │  └─ =8                             incorrect
        25  │  │  │  ├─ completion w1
        26  │  │  │  │  └─ =8                             incorrect
        27  │  │  │  ├─ completion w2
        28  │  │  │  │  └─ =8                             incorrect
        29  │  │  │  └─ completion w3
        30  │  │  │     └─ =8                             incorrect
        15  │  │  ├─ completion w
        16  │  │  │  └─ =7                                correct
        17  │  │  ├─ completion w1
        18  │  │  │  └─ =8                                incorrect
        19  │  │  ├─ completion w2
        20  │  │  │  └─ =8                                incorrect
        21  │  │  └─ completion w3
        22  │  │     └─ =8                                incorrect
        11  │  ├─ completion w x3
        12  │  │  └─ =7 x3                                correct
        13  │  └─ completion w3
        14  │     └─ =8                                   incorrect
        5   ├─ a                         label 0.75
        6   │  └─ b                      label 0.25
        7   │     └─ d                   label 0.50 of 4
        8   │        ├─ =8               label 0.00       incorrect
        31  │        ├─ completion w x2
        32  │        │  └─ =7 x2                          correct
        33  │        ├─ completion w2
        34  │        │  └─ =8                             incorrect
        35  │        └─ completion w3
        36  │           └─ =8                             incorrect
        9   └─ e                         label 1.00 of 4
        10     ├─ =7                     label 1.00       correct
        37     └─ completion w x4
        38        └─ =7 x4                                correct
    """)
    assert tree.answer is None


async def test_label_is_the_share_of_correct_completions() -> None:
    policy = ScriptedPolicy(completions_by_word(CORRECT, SOLUTIONS))
    config = search_config(strategy="math_shepherd", candidates=4, solutions=4)
    tree = await build(config).search(PROBLEM, graded(policy), 1)
    by_path = labels(tree)
    assert by_path[("a",)][0] == 0.75 and by_path[("a", "b")][0] == 0.25
    assert by_path[("a", "b", "c")] == (0.0, 4) and by_path[("a", "b", "d")] == (0.5, 4)
    assert by_path[("e",)] == (1.0, 4)
    ends = [label for path, (label, _) in by_path.items() if path[-1].startswith("\\boxed")]
    assert [label for label in ends if label is not None] == [0.0, 0.0, 1.0]
    assert policy.counts == Counter(
        {(): 1, ("a",): 1, ("a", "b"): 1, ("a", "b", "c"): 1, ("a", "b", "d"): 1, ("e",): 1}
    )
    assert sum(node.completions for node in tree.nodes) == 5 * 4
    drawn = sum(node.tokens * node.multiplicity for node in tree.nodes)
    assert tree.cost.generated_tokens == drawn and tree.cost.requests == 6


async def test_completions_are_solutions_that_harvest_rules_read() -> None:
    """Of the 20 completions 3, 1, 0, 2 and 4 end in 7, after a, a b, a b c, a b d and e; equal ones are one solution."""
    policy = ScriptedPolicy(completions_by_word(CORRECT, SOLUTIONS))
    config = search_config(strategy="math_shepherd", candidates=4, solutions=4)
    tree = await build(config).search(PROBLEM, graded(policy), 1)
    ends = [tree.nodes[i] for i in tree.terminals() if tree.nodes[tree.nodes[i].parent].action == COMPLETION]
    assert sum(end.multiplicity for end in ends) == 20
    assert sum(end.multiplicity for end in ends if end.correct) == 3 + 1 + 0 + 2 + 4
    assert {" ".join(step.text.strip() for step in tree.steps(i)) for i in tree.terminals() if tree.nodes[i].correct} == {
        r"e \boxed{7}", r"a w \boxed{7}", r"a b w \boxed{7}", r"a b d w \boxed{7}", r"e w \boxed{7}"
    }  # fmt: skip


async def test_failed_completions_are_counted() -> None:
    script = {(): ["a =7"], ("a",): ["=7", "!", "b !"]}
    policy = ScriptedPolicy(lambda request: [candidate(line) for line in script[request.words]])
    tree = await build(search_config(strategy="math_shepherd", candidates=3, solutions=1)).search(
        PROBLEM, graded(policy), 1
    )
    assert (tree.nodes[1].label, tree.failures) == (1 / 3, {"no_answer": 2})


async def test_every_step_of_eight_by_hand() -> None:
    policy = ScriptedPolicy(completions_by_length({1: 8, 2: 6, 3: 7, 4: 1}))  # of eight; none from the fifth on
    labelled = await label_every_step(solution(8), completions(policy))
    assert labelled.record.scale is LabelScale.SHARE
    assert labelled.record.labels == (1.0, 0.75, 0.875, 0.125, 0.0, 0.0, 0.0, 0.0)
    # 7 steps and 8 completions each; the eighth has its outcome
    assert (labelled.completions, labelled.cost.requests) == (56, 7)
    assert labelled.cost.generated_tokens == 56 * 2 * TOKENS
    assert Counter(prefix_lengths(policy)) == Counter(range(1, 8))


async def test_step_has_no_label_when_nothing_was_drawn() -> None:
    policy = ScriptedPolicy(completions_by_length({1: 8, 2: 4}, silent={3, 4}))
    labelled = await label_every_step(solution(5), completions(policy))
    assert labelled.record.labels == (1.0, 0.5, None, None, 0.0)
    assert labelled.completions == 16
