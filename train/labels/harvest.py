"""Harvest the labels of people into the files that a training run reads.

    harvest_prm800k       PRM800K's files
    harvest_annotations   solutions that `raystar select` wrote and people labelled

Each writes step_labels.jsonl and outcomes.jsonl, complete or absent. ``label_counts.json`` is written last: it is there
if and only if the harvest is complete.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from search.data import Trajectory
from search.protocols import Grader
from train.labels.annotation_files import read_annotations
from train.labels.consensus import solution_key
from train.labels.files import LabelFiles, LabelHarvest, open_label_files
from train.labels.human_labels import labels_of, outcome_of, problem_of, why_left_out
from train.labels.prm800k import Prm800kRow, read_rows


def harvest_prm800k(files: Sequence[Path], out_dir: Path, grader: Grader, skip_bad_lines: bool = False) -> LabelHarvest:
    """Write labels and outcomes from PRM800K's files, by the rules of ``train.labels.human_labels``.

    Counts of the source: ``rows``; of these ``bad_lines``, ``quality_control``, ``screening``, ``bad_problem`` and
    ``give_up`` that were left out, and those ``without_rating`` or ``without_outcome``; ``null_ratings`` candidates
    without a rating and ``unreachable`` steps after a solution's end. ``grader`` grades outcomes.
    """
    tally = Counter[str]()
    with open_label_files(out_dir) as label_files:
        for _, row in read_rows(files, tally, skip_bad_lines):
            reason = why_left_out(row)
            if reason is not None:
                tally[reason] += 1
            else:
                _add_row(row, label_files, grader, tally)
    return label_files.finish(dict(tally))


def _add_row(row: Prm800kRow, label_files: LabelFiles, grader: Grader, tally: Counter[str]) -> None:
    problem = problem_of(row)
    row_labels = labels_of(row, problem)
    label_files.add_labels(row_labels.records)
    outcome = outcome_of(row, problem, row_labels, grader)
    if outcome is not None:
        label_files.add_outcomes([outcome])
    tally["without_rating"] += not row_labels.records
    tally["without_outcome"] += outcome is None
    tally.update(null_ratings=row_labels.null_ratings, unreachable=row_labels.unreachable)


def harvest_annotations(
    files: Sequence[Path], solutions: Sequence[Trajectory], out_dir: Path, skip_bad_lines: bool = False
) -> LabelHarvest:
    """Write the labels of ``solutions`` that people labelled, with their own problems and steps.

    The outcomes are those of the solutions that came back with a label. Counts of the source: as
    ``train.labels.annotation_files`` counts rows.
    """
    tally, labelled = Counter[str](), set[tuple[str, ...]]()
    with open_label_files(out_dir) as label_files:
        for record in read_annotations(files, solutions, tally, skip_bad_lines):
            label_files.add_labels([record])
            labelled.add(solution_key(record))
        label_files.add_outcomes(solution for solution in solutions if solution_key(solution) in labelled)
    return label_files.finish(dict(tally))
