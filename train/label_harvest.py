"""Step labels from any source to files that a training run reads.

    harvest_people        PRM800K's files                     step_labels.jsonl, outcomes.jsonl
    harvest_trees         search trees, hard or soft          step_labels.jsonl, outcomes.jsonl
    harvest_completions   Monte-Carlo labels and their cost   step_labels.jsonl
    harvest_consensus     labels that a judge agrees with     step_labels.jsonl

Each file is complete or absent. ``label_counts.json`` is written last: it is there if and only if the harvest is complete.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path

from search.protocols import Grader
from search.tree import Tree
from search.types import Cost, LabelledSolution, LabelScale, StepLabels
from train.consensus import consensus
from train.first_error import hard
from train.human_labels import labels_of, outcome_of, problem_of, why_left_out
from train.label_files import LabelHarvest, label_file, outcome_file
from train.prm800k import read_rows
from train.tree_labels import outcomes, tree_labels, without_repeats


def harvest_people(files: Sequence[Path], out_dir: Path, grader: Grader, skip_bad_lines: bool = False) -> LabelHarvest:
    """Labels and outcomes from PRM800K's files, by the rules of train.human_labels.

    Counts of the source: ``rows``; of these ``bad_lines``, ``quality_control``, ``screening``, ``bad_problem`` and
    ``give_up`` that were left out, and those ``without_rating`` or ``without_outcome``; ``null_ratings`` candidates
    without a rating and ``unreachable`` steps after a solution's end. ``grader`` settles outcomes.
    """
    tally = Counter[str]()
    out_dir.mkdir(parents=True, exist_ok=True)
    with label_file(out_dir) as labels, outcome_file(out_dir) as solutions:
        for _, row in read_rows(files, tally, skip_bad_lines):
            reason = why_left_out(row)
            if reason is not None:
                tally[reason] += 1
                continue
            problem = problem_of(row)
            found = labels_of(row, problem)
            for record in found.records:
                labels.add(record)
            outcome = outcome_of(row, problem, found, grader)
            if outcome is not None:
                solutions.add(outcome)
            tally["without_rating"] += not found.records
            tally["without_outcome"] += outcome is None
            tally.update(null_ratings=found.null_ratings, unreachable=found.unreachable)
    return LabelHarvest(labels.counts(), dict(tally), solutions.counts()).write(out_dir)


def harvest_trees(
    trees: Iterable[Tree], out_dir: Path, scale: LabelScale, right: int = 4, wrong: int = 4
) -> LabelHarvest:
    """Labels of at most ``right`` right and ``wrong`` wrong solutions a tree, of the kind that ``scale`` names in
    train.tree_labels, each step labelled once a tree; and the outcomes of these solutions.

    Counts of the source: ``trees``, and those ``without_solution``.
    """
    tally = Counter[str](trees=0, without_solution=0)
    out_dir.mkdir(parents=True, exist_ok=True)
    with label_file(out_dir) as labels, outcome_file(out_dir) as solutions:
        for tree in trees:
            found = tree_labels(tree, scale, right, wrong)
            tally.update(trees=1, without_solution=int(not found))
            for record in without_repeats(found):
                labels.add(record)
            for outcome in outcomes(tree, right, wrong):
                solutions.add(outcome)
    return LabelHarvest(labels.counts(), dict(tally), solutions.counts()).write(out_dir)


def harvest_completions(
    solutions: Iterable[LabelledSolution], out_dir: Path, hard_at: float | None = None
) -> LabelHarvest:
    """Labels by completion (search.monte_carlo); with ``hard_at`` as signs, wrong at a share of right up to it.

    Counts of the source: ``solutions``, those ``without_label``, ``completions``, and every field of their cost.
    """
    tally, cost = Counter[str](solutions=0, without_label=0, completions=0), Cost()
    out_dir.mkdir(parents=True, exist_ok=True)
    with label_file(out_dir) as labels:
        for one in solutions:
            labels.add(one.record if hard_at is None else hard(one.record, hard_at))
            unlabelled = all(label is None for label in one.record.labels)
            tally.update(solutions=1, without_label=int(unlabelled), completions=one.completions)
            cost = cost + one.cost
    return LabelHarvest(labels.counts(), {**tally, **asdict(cost)}).write(out_dir)


def harvest_consensus(
    records: Iterable[StepLabels],
    judged: Iterable[StepLabels],
    out_dir: Path,
    threshold: float = 0.0,
    judge_threshold: float = 0.0,
) -> LabelHarvest:
    """Those of ``records`` on whose first error the judge agrees; the counts of the source are train.consensus's."""
    kept, counts = consensus(records, judged, threshold, judge_threshold)
    out_dir.mkdir(parents=True, exist_ok=True)
    with label_file(out_dir) as labels:
        for record in kept:
            labels.add(record)
    return LabelHarvest(labels.counts(), asdict(counts)).write(out_dir)
