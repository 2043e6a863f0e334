"""Trees drawn as text: what each line says, how wide it is, and what of a model's text reaches the terminal."""

from __future__ import annotations

import math

import pytest
from rich.cells import cell_len
from rich.text import Text

from cluster.report.failures import describe_failures
from cluster.report.tree_text import best_end, draw_tree, encodable, printable, shorten, small_tree
from search.data import Cost, Outcome, Problem, Step, StepStatus
from search.tree import Tree

EGGS = Problem(id="eggs", question="A box has 3 rows of 4 eggs. 5 break.\nHow many are whole?", answer="7", source="t")


def eggs_tree() -> Tree:
    """Return a tree of seven steps: a correct and an incorrect answer below one step, a failed step, a long chain."""
    tree = Tree(EGGS, strategy="mcts", cost=Cost(generated_tokens=120), answer="7")
    tree.nodes[0].visits, tree.nodes[0].value_sum = 8, 4.0
    product = tree.add(0, Step("eggs = 3 * 4<end_of_step>", code="eggs = 3 * 4"), visits=7, value_sum=5.0)
    tree.nodes[product].logit = math.atanh(0.5)
    failed = Step("eggs = 3 * four", code="eggs = 3 * four", status=StepStatus.CODE_ERROR, outcome=Outcome.EXCEPTION)
    tree.add(0, failed, visits=1, value_sum=-1.0)
    left = tree.add(product, Step("5 are broken,\n\nso 7 are left."), visits=6, value_sum=6.0, multiplicity=2)
    more = tree.add(product, Step("So 17."), visits=1, value_sum=-1.0)
    tree.add(left, Step("It is 7.", status=StepStatus.FINAL, answer="7"), visits=6, value_sum=6.0, correct=True)
    tree.add(more, Step("It is 17.", status=StepStatus.FINAL, answer="17"), visits=1, value_sum=-1.0, correct=False)
    tree.add(product, Step("Well."))
    return tree


def plain(tree: Tree, width: int = 80, nodes: set[int] | None = None) -> list[str]:
    return [line.plain.rstrip() for line in draw_tree(tree, width, nodes)]


def test_tree_is_drawn_with_visits_values_scores_and_grades() -> None:
    assert plain(eggs_tree()) == [
        "eggs: A box has 3 rows of 4 eggs. 5 break. How many are whole?",
        "solved; reference 7; mcts, 7 steps; 120 tokens",
        "visits  value  score",
        "     8  +0.50         question",
        "     7  +0.69  +0.50  ├ eggs = 3 * 4",
        "     6  +1.00         │ ├ 5 are broken, so 7 are left. ×2",
        "     6  +1.00         │ │ It is 7. → 7, correct",
        "     1  -1.00         │ ├ So 17.",
        "     1  -1.00         │ │ It is 17. → 17, incorrect",
        "     0                │ └ Well.",
        "     1  -1.00         └ eggs = 3 * four ✗ code raised an exception",
    ]


def test_step_of_a_further_policy_says_who_drew_it() -> None:
    tree = eggs_tree()
    tree.nodes[1].action, tree.nodes[3].action = "policy", "policy_2"
    lines = plain(tree)
    assert lines[4].endswith("├ eggs = 3 * 4") and lines[5].endswith("so 7 are left. ×2 by policy_2")


def test_small_tree_is_the_best_path_with_siblings() -> None:
    tree = eggs_tree()
    assert best_end(tree) == 5
    assert small_tree(tree) == {0, 1, 2, 3, 4, 5, 7}
    assert plain(tree, nodes={1, 3, 5})[3:] == [
        "     8  +0.50         question",
        "                      ├ … 1 more step",
        "     7  +0.69  +0.50  └ eggs = 3 * 4",
        "                        ├ … 3 more steps",
        "     6  +1.00           └ 5 are broken, so 7 are left. ×2",
        "     6  +1.00             It is 7. → 7, correct",
    ]


def test_small_tree_of_a_failed_problem_leads_to_its_answer() -> None:
    tree = eggs_tree()
    tree.nodes[5].correct, tree.answer = False, "17"
    assert best_end(tree) == 6
    assert plain(tree)[1].startswith("not solved; ")
    no_end = Tree(EGGS)
    no_end.add(no_end.add(0, Step("a")), Step("b"))
    no_end.add(0, Step("c"))
    assert best_end(no_end) == 2


def test_lines_fit_the_width_however_deep_the_tree() -> None:
    tree = Tree(Problem(id="long", question="Why? " * 200, answer="1" * 90, source="t"), strategy="mcts")
    index = 0
    for depth in range(40):
        tree.add(index, Step(f"aside {depth} " * 9))
        index = tree.add(index, Step(f"步骤 {depth}: " + "word " * 30))
    tree.add(index, Step("end", status=StepStatus.FINAL, answer="2" * 90), correct=False)
    for width in (80, 60):
        lines = plain(tree, width)
        assert max(map(cell_len, lines)) <= width
        assert sum(line.startswith("long: ") for line in lines) == 1
        assert len(lines) == 3 + 2 + 82


def test_control_characters_of_a_model_do_not_reach_the_terminal() -> None:
    evil = "a\x1b[2Jb\x07c\u202ed\x9b31me\r\nf\tg\u200b"
    assert printable(evil) == "a[2Jbcd31me f g"
    tree = Tree(Problem(id="x\x1b]0;t\x07", question=evil, answer=evil, source="t"))
    tree.add(0, Step(evil, status=StepStatus.FINAL, answer=evil), correct=False)
    text = "\n".join(plain(tree))
    assert not any(character in text for character in "\x1b\x07\x9b\u202e\r\u200b")


@pytest.mark.parametrize(
    ("text", "columns", "expected"),
    [("abc", 3, "abc"), ("abcd", 3, "ab…"), ("步骤一", 5, "步骤…"), ("步骤一", 4, "步…")],
)
def test_text_is_cut_by_columns(text: str, columns: int, expected: str) -> None:
    assert shorten(text, columns) == expected


def test_signs_that_a_terminal_lacks_are_replaced() -> None:
    line = Text("├ 2 × 3 → é, correct")
    assert encodable(line, "utf-8").plain == line.plain
    assert encodable(line, "ascii").plain == "| 2 x 3 -> \\xe9, correct"
    assert encodable(line, "latin-1").plain == "| 2 x 3 -> é, correct"


def test_failures_are_said_in_words() -> None:
    counts = {"no_answer": 3, "exception": 12, "timeout": 3, "new_reason": 1}
    assert describe_failures(counts) == (
        "12 code raised an exception, 3 ended without an answer, 3 code ran out of time, 1 new reason"
    )
    assert describe_failures({}) == "none"
