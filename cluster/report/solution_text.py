"""Show in the terminal how a tree solved its question: the tree in short, the chosen solution step by step, the answer."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from rich.console import Console
from rich.text import Text

from cluster.report.search_result import drawing_width, print_lines
from cluster.report.tree_text import best_end, draw_tree, printable, small_tree
from search.data import Outcome
from search.formats.code_format import CODE_TAGS
from search.tree import Tree

INDENT = "    "


def show(console: Console, tree: Tree) -> None:
    """Print a tree, its chosen solution and the answer."""
    width = drawing_width(console)
    console.print()
    print_lines(console, draw_tree(tree, width, small_tree(tree)))
    console.print()
    print_lines(console, solution_lines(tree, width))


def solution_lines(tree: Tree, width: int) -> Iterator[Text]:
    """Yield the steps of the solution that gave the answer, each with its score, and the answer with its support."""
    if tree.answer is None:
        yield Text("no answer was found: try more candidates or rollouts, or a larger model", style="bold red")
        return
    for number, index in enumerate(tree.solution(best_end(tree)), start=1):
        node = tree.nodes[index]
        if node.step is None:
            continue
        score = "" if node.score is None else f"  score {node.score:+.2f}"
        yield Text(f"Step {number}{score}", style="bold")
        yield from _wrapped(node.step.text, width)
        if node.step.output.strip():
            verb = "put in:" if node.step.outcome is Outcome.NOT_RUN else "prints"
            yield from (Text(f"{line.plain}", style="dim") for line in _wrapped(f"{verb} {node.step.output}", width))
    yield Text(f"answer: {printable(tree.answer)}{describe_support(tree)}", style="bold green")


def describe_support(tree: Tree) -> str:
    """Return how many of the finished solutions have the answer: " (5 of 8 solutions)"."""
    drawn = {index: tree.nodes[index].multiplicity for index in tree.terminals()}
    same = sum(number for index, number in drawn.items() if tree.nodes[index].answer == tree.answer)
    return f" ({same} of {sum(drawn.values())} finished solutions)"


def _wrapped(text: str, width: int) -> Iterator[Text]:
    for tag in CODE_TAGS:
        text = text.replace(tag, "")
    for line in text.strip().splitlines():
        indent = line[: len(line) - len(line.lstrip())].replace("\t", "    ")
        clean = printable(line)
        for row in textwrap.wrap(clean, max(20, width - len(INDENT) - len(indent))) or [""]:
            yield Text(f"{INDENT}{indent}{row}")
