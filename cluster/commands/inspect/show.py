"""``raystar show``: draw stored search trees in the terminal."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from cluster.commands.options import positive_int
from cluster.report.search_result import drawing_width, examples, print_lines, show_examples
from cluster.report.tree_text import describe_answer, draw_tree, encodable, printable, shorten
from cluster.run import stored_run
from search.errors import UserError
from search.grading.grader import grader
from search.storage.tree_store import PATTERN, read_trees
from search.tree import Tree

HELP = "draw the trees of a search in the terminal: steps with visits, values, scores, answers and grades"
NEAR = (PATTERN, f"*/{PATTERN}", f"*/*/{PATTERN}", f"*/rounds/**/{PATTERN}")
LISTED = 20  # problems that are named without --problem
QUOTED = 44  # columns of a question in the list
ROUND = re.compile(r"r(\d+)")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "run_dir",
        metavar="RUN",
        help="run directory, finished or not, or a directory of stored trees; also s3://… or gs://…",
    )
    parser.add_argument("--problem", metavar="ID", help="problem whose tree is drawn in full; a part of its id will do")
    parser.add_argument(
        "--tree", type=int, metavar="N", help="number of its tree, from 0, where it has several (default: a solved one)"
    )
    parser.add_argument("--stage", metavar="NAME", help="stage with the trees, such as r1/search (default: the last)")
    parser.add_argument("--depth", type=positive_int, metavar="N", help="draw only the first N steps of each path")
    parser.epilog = (
        "Without --problem: a solved and an unsolved tree in short, and a list of\n"
        "problems. Columns: visits, mean value in [-1, 1], the reward model's score."
    )


def run(args: argparse.Namespace) -> int:
    console = Console(highlight=False)
    name, directory = find_trees(stored_run.local_copy(args.run_dir)[0], args.stage)
    if args.problem is not None:
        show_problem(console, list(map(graded, find_problem(directory, args.problem))), args.tree, args.depth)
        return 0
    if args.tree is not None:
        raise UserError(f"--tree: {args.tree} is the number of a tree of one problem: give --problem ID too")
    solved_tree, failed_tree = examples(directory)
    show_examples(console, solved_tree, failed_tree)
    trees = list(map(graded, read_trees(directory)))
    counts = f"{count_trees(trees)} in {name}, {len(solved_problems(trees))} solved; --problem ID draws one in full"
    console.print(encodable(Text(counts), console.encoding))
    console.print(list_trees(trees, console.encoding))
    return 0


def find_trees(root: Path, stage: str | None) -> tuple[str, Path]:
    """Return the name and the directory of a stage with trees, the last one without ``stage``. Raises UserError."""
    if not root.is_dir():
        raise UserError(f"no directory {root}: name a run directory, for example runs/arithmetic")
    stages = dict(sorted(tree_directories(root), key=lambda item: stage_order(item[0])))
    if not stages:
        raise UserError(f"no trees in {root}: a run directory whose search has begun is needed, or one with {PATTERN}")
    if stage is None:
        return next(reversed(stages.items()))
    for name in (stage, f"{stage}.partial"):
        if name in stages:
            return name, stages[name]
    raise UserError(f"--stage: {root} has no trees in {stage!r}: one of {', '.join(stages)}")


def tree_directories(root: Path) -> Iterator[tuple[str, Path]]:
    """Yield the directories below ``root`` that hold trees, with their names, such as r0/evaluate/heldout/greedy."""
    is_run = (root / "rounds").is_dir()
    base = root / "rounds" if is_run else root
    # Of another directory only what lies near: the user may have named one with everything in it.
    files = base.rglob(PATTERN) if is_run else chain.from_iterable(map(base.glob, NEAR))
    for directory in {file.parent for file in files}:
        name = directory.relative_to(base).as_posix()
        yield ("." if name == "" else name), directory


def stage_order(name: str) -> tuple[int, bool, str]:
    """Return what sorts stages by round, in a round searches last: they are what a reader looks for."""
    first, _, rest = name.partition("/")
    match = ROUND.fullmatch(first)
    return int(match[1]) if match else -1, rest.startswith("search"), rest


def show_problem(console: Console, trees: list[Tree], number: int | None, depth: int | None) -> None:
    """Draw one tree of a problem down to ``depth``, and say what became of the others. Raises UserError without that tree."""
    chosen = [tree for tree in trees if tree.number == number] if number is not None else trees
    if not chosen:
        numbers = ", ".join(str(tree.number) for tree in trees)
        raise UserError(f"--tree: no tree {number} of problem {printable(trees[0].problem.id)}: one of {numbers}")
    tree = next((tree for tree in chosen if tree.is_solved), chosen[0])
    shown = None
    if depth is not None:
        shown = [index for index, node in enumerate(tree.nodes) if node.depth <= depth]
    print_lines(console, draw_tree(tree, drawing_width(console), shown))
    if len(trees) > 1:
        print_lines(console, (Text(f"tree {other.number}: {describe_answer(other)}") for other in trees))


def find_problem(directory: Path, problem: str) -> list[Tree]:
    """Return the trees of the problem with this id, else of the only one whose id contains it, by number. Raises UserError."""
    matching: dict[str, list[Tree]] = {}
    ids: dict[str, None] = {}
    for tree in read_trees(directory):
        ids[tree.problem.id] = None
        if problem in tree.problem.id:
            matching.setdefault(tree.problem.id, []).append(tree)
    matches = [problem] if problem in matching else list(matching)
    if len(matches) == 1:
        return sorted(matching[matches[0]], key=lambda tree: tree.number)
    candidates = matches or list(ids)
    fault = f"{len(matches)} problems match" if matches else "no tree of problem"
    raise UserError(
        f"--problem: {fault} {problem!r} in {directory}: one of {', '.join(map(printable, candidates[:5]))} …"
    )


def solved_problems(trees: list[Tree]) -> set[str]:
    """Return the ids of the problems of which a tree is solved."""
    return {tree.problem.id for tree in trees if tree.is_solved}


def count_trees(trees: list[Tree]) -> str:
    """Return the number of trees, and of their problems where these are fewer: "8 trees of 2 problems"."""
    problems = len({tree.problem.id for tree in trees})
    return f"{len(trees)} trees" + (f" of {problems} problems" if problems < len(trees) else "")


def graded(tree: Tree) -> Tree:
    """Return a tree of a blind search with the grades of its ends, any other as it is."""
    if tree.problem.answer and all(node.correct is None for node in tree.nodes):
        for index in tree.terminals():
            tree.nodes[index].correct = grader().grade(tree.problem, tree.nodes[index].answer)
    return tree


def list_trees(trees: list[Tree], encoding: str) -> Table:
    """Return a table of the first problems: id, question, what became of it."""
    table = Table(box=None, padding=(0, 1), pad_edge=False, show_header=False)
    table.add_column(no_wrap=True, overflow="ellipsis", max_width=24)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True, overflow="ellipsis")
    for tree in trees[:LISTED]:
        cells = (printable(tree.name), describe_answer(tree), shorten(printable(tree.problem.question), QUOTED))
        table.add_row(*(encodable(Text(cell), encoding) for cell in cells))
    if len(trees) > LISTED:
        table.add_row(encodable(Text(f"… {len(trees) - LISTED} more"), encoding))
    return table
