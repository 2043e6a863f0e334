"""Draw a search tree as text, for tests that show what a strategy does.

    0  question    N 3  Q +0.333
    1  ├─ a        N 2  Q +0.750  r +0.500             an open step: two rollouts passed; the reward model gave it 0.5
    3  │  └─ =7    N 2  Q +1.000            correct  * the answer 7, graded; the tree's answer
    2  └─ ! x2     N 1  Q -1.000            no_answer  drawn twice, ended without an answer

A line has the node's index (the order in which nodes were attached), the action that drew it, its word or code, ``x`` and
how often it was drawn, visits N and mean value Q once it is visited, the reward ``r``, a label with the number of
completions behind it, and the grade or the failure. ``*`` marks ends that state the tree's answer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from search.data import Step
from search.tree import ROOT, Node, Tree
from tests.fakes.words import word


def text_of(step: Step | None) -> str:
    """Return the code of a step, else its word."""
    return step.code if step is not None and step.code else word(step)


def draw(tree: Tree, text_of: Callable[[Step | None], str] = text_of) -> str:
    """Return the tree as text, one line a node, in columns. ``text_of`` gives the text of a step."""
    rows = [
        [str(index), branch + _name(tree.nodes[index], text_of), *_columns(tree, tree.nodes[index])]
        for index, branch in _descend(tree, ROOT, "", "")
    ]
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True) if width).rstrip() for row in rows
    ]
    return "\n".join(lines)


def _descend(tree: Tree, index: int, branch: str, below: str) -> Iterator[tuple[int, str]]:
    """Yield each node, parents before children, with the lines that lead to it."""
    yield index, branch
    *first, last = tree.nodes[index].children or [None]
    for child in first:
        yield from _descend(tree, child, f"{below}├─ ", f"{below}│  ")  # type: ignore[arg-type]
    if last is not None:
        yield from _descend(tree, last, f"{below}└─ ", f"{below}   ")


def _name(node: Node, text_of: Callable[[Step | None], str]) -> str:
    text = text_of(node.step) if node.step is not None else "question"
    drawn = f"x{node.multiplicity}" if node.multiplicity > 1 else ""
    return " ".join(part for part in (node.action, text, drawn) if part)


def _columns(tree: Tree, node: Node) -> list[str]:
    label = "" if node.label is None else f"label {node.label:.2f}"
    is_answer = node.answer is not None and node.answer == tree.answer
    return [
        f"N {node.visits}" if node.visits else "",
        f"Q {node.q:+.3f}" if node.visits else "",
        "" if node.score is None else f"r {node.score:+.3f}",
        f"{label} of {node.completions}" if node.completions else label,
        _verdict(node),
        "*" if is_answer else "",
    ]


def _verdict(node: Node) -> str:
    if node.correct is not None:
        return "correct" if node.correct else "incorrect"
    return node.step.status.value if node.is_failed and node.step is not None else ""
