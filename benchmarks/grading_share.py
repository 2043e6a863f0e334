"""Measure the share of a finished search's wall time that its grading takes.

    python benchmarks/grading_share.py RUN_OR_STAGE_DIRECTORY --seconds S [--passes N]

Grades all answers in the stored trees again, in the order in which they were found, with nothing remembered at the
start of a pass, algebra included. ``--seconds`` is the wall time of the search, as its last progress line says ("took").
The grades must equal the stored ones, or it exits 1: then the trees are not of this grader.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.grading import forget
from search.grading import equivalence
from search.grading.algebra import pool
from search.storage import tree_store

Grade = tuple[str, str, bool]  # reference, answer, stored verdict


def stored_grades(directory: Path) -> list[Grade]:
    """Return the graded answers of all trees below ``directory``."""
    return [
        (tree.problem.answer, node.answer, node.correct)
        for folder in sorted({file.parent for file in directory.rglob(tree_store.PATTERN)})
        for tree in tree_store.read_trees(folder)
        for node in tree.nodes
        if node.answer is not None and node.correct is not None
    ]


def grade_again(grades: list[Grade]) -> tuple[float, int]:
    """Return the wall seconds of all grades, and how many differ from the stored ones."""
    forget()
    different = 0
    started = time.perf_counter()
    for gold, answer, correct in grades:
        different += equivalence.equivalent(gold, answer) != correct
    return time.perf_counter() - started, different


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("directory", type=Path, help="run directory, or the directory of a search's trees")
    parser.add_argument("--seconds", type=float, required=True, help="wall time of the search (s)")
    parser.add_argument("--passes", type=int, default=5, help="passes; the median counts")
    args = parser.parse_args()
    grades = stored_grades(args.directory)
    if not grades:
        parser.error(f"no graded answers below {args.directory}")
    equivalence.equivalent("x + 1", "\\ln 6")  # the first comparison by algebra starts its children
    passes = [grade_again(grades) for _ in range(args.passes)]
    seconds, different = median(spent for spent, _ in passes), passes[0][1]
    pairs = len({(gold, answer) for gold, answer, _ in grades})
    print(f"{len(grades)} grades, {pairs} distinct pairs, {different} differ from the stored ones")
    print(f"grading {seconds:.3f} s (median of {len(passes)} passes), {1e6 * seconds / len(grades):.1f} us a grade")
    print(f"search {args.seconds:.1f} s: {100 * seconds / args.seconds:.2f} %; algebra: {dict(pool.pool().counts)}")
    return int(different > 0)


if __name__ == "__main__":
    sys.exit(main())
