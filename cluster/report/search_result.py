"""Show a finished search in the terminal: its table, failures in words, one solved and one failed tree, what to do next."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from rich.console import Console
from rich.text import Text

from cluster.report.searches import describe, searches, terminal_table
from cluster.report.summary import RoundRecord
from cluster.report.tree_text import draw_tree, encodable, small_tree
from cluster.run.progress import Progress
from search.storage.tree_store import PATTERN, read_trees
from search.tree import Tree

MAX_TREES = 2000  # trees read for the examples
MAX_WIDTH = 120


def show_searches(root: Path, rounds: tuple[RoundRecord, ...], progress: Progress, config: str = "CONFIG") -> None:
    """Print the searches of a run, at least one, and examples of the last. ``config``: its config file, for commands."""
    progress.console.print(terminal_table(rounds))
    _, stage = list(searches(rounds))[-1]
    for line in describe(stage.facts):
        progress.log(line)
    if any(stage.path.glob(PATTERN)):
        solved, failed = examples(stage.path)
        show_examples(progress.console, solved, failed)
        for line in next_commands(root, stage.path, stage.facts.get("trees_solved", 0), config):
            progress.log(line)


def examples(directory: Path) -> tuple[Tree | None, Tree | None]:
    """Return a solved tree that has an incorrect end too, if there is one, and a tree that is not solved."""
    solved = mixed = failed = None
    for tree in islice(read_trees(directory), MAX_TREES):
        if not tree.is_solved:
            failed = failed or tree
        elif any(node.correct is False for node in tree.nodes):
            mixed = mixed or tree
        else:
            solved = solved or tree
        if mixed and failed:
            break
    return mixed or solved, failed


def show_examples(console: Console, solved: Tree | None, failed: Tree | None) -> None:
    """Print the small drawings of a solved and a failed tree."""
    for title, tree in (("One solved problem", solved), ("One that was not solved", failed)):
        if tree is not None:
            console.print()
            console.print(Text(title, style="bold underline"))
            print_lines(console, draw_tree(tree, drawing_width(console), small_tree(tree)))
    console.print()


def print_lines(console: Console, lines: Iterator[Text]) -> None:
    """Print lines as they are: not wrapped, and with what the terminal's encoding lacks in plain signs."""
    for line in lines:
        console.print(encodable(line, console.encoding), soft_wrap=True, highlight=False)


def drawing_width(console: Console) -> int:
    """Return the columns of a drawing: those of the terminal, at most MAX_WIDTH."""
    return min(console.width, MAX_WIDTH)


def relative(path: Path) -> str:
    """Return a path from the working directory, as a shell reads it."""
    return shlex.quote(os.path.relpath(path))


def next_commands(root: Path, stage: Path, solved: int, config: str) -> Iterator[str]:
    """Yield what to do with the trees of a search: look at them, and learn from them where something was solved."""
    run, trees = relative(root), relative(stage)
    yield f"next: raystar show {run} --problem ID"
    if solved:
        yield f"      raystar harvest {config} --trees {trees}"
    else:
        yield "      no problem was solved, so nothing can be learnt from these trees: try easier problems, more rollouts,"
        yield "      worked examples (policy.shots) or a larger model"
