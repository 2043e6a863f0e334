"""Step labels from any source to files that a training run reads.

    harvest_people        PRM800K's files
    harvest_labelled      what `raystar select` gave out and people labelled
    harvest_checked       solutions of search trees that somebody checked
    harvest_trees         search trees, hard or soft, by completion or by what lies below a step
    harvest_consensus     those of search trees that the reward model agrees with

Each writes step_labels.jsonl and outcomes.jsonl. Each file is complete or absent. ``label_counts.json`` is written last: it
is there if and only if the harvest is complete.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from search.config import LABELLING
from search.data import LabelScale, StepLabels, Trajectory
from search.protocols import Grader
from search.tree import Tree
from train.labels.annotation_files import read_labelling
from train.labels.consensus import consensus, solution_key
from train.labels.files import LabelHarvest, label_file, outcome_file
from train.labels.human_labels import labels_of, outcome_of, problem_of, why_left_out
from train.labels.prm800k import read_rows
from train.labels.tree_labels import outcomes, score_labels, tree_labels, without_repeats


def harvest_people(files: Sequence[Path], out_dir: Path, grader: Grader, skip_bad_lines: bool = False) -> LabelHarvest:
    """Labels and outcomes from PRM800K's files, by the rules of train.labels.human_labels.

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


def harvest_labelled(
    files: Sequence[Path], given_out: Sequence[Trajectory], out_dir: Path, skip_bad_lines: bool = False
) -> LabelHarvest:
    """Labels of solutions that were given out to be labelled, with their own problems and steps; the outcomes are those
    of the solutions that came back with a label. Counts of the source: as train.labels.annotation_files counts rows.
    """
    tally, labelled = Counter[str](), set[tuple[str, ...]]()
    out_dir.mkdir(parents=True, exist_ok=True)
    with label_file(out_dir) as labels, outcome_file(out_dir) as solutions:
        for record in read_labelling(files, given_out, tally, skip_bad_lines):
            labels.add(record)
            labelled.add(solution_key(record))
        for solution in given_out:
            if solution_key(solution) in labelled:
                solutions.add(solution)
    return LabelHarvest(labels.counts(), dict(tally), solutions.counts()).write(out_dir)


def harvest_checked(trees: Iterable[Tree], checked: Iterable[StepLabels], out_dir: Path) -> LabelHarvest:
    """Labels by somebody who knows, as they are; the outcomes are those of solutions in ``trees``, as ``harvest_trees``
    has them. Counts of the source: ``trees``."""
    tally = Counter[str](trees=0)
    out_dir.mkdir(parents=True, exist_ok=True)
    with label_file(out_dir) as labels, outcome_file(out_dir) as solutions:
        for record in checked:
            labels.add(record)
        for tree in trees:
            tally.update(trees=1)
            for outcome in outcomes(tree):
                solutions.add(outcome)
    return LabelHarvest(labels.counts(), dict(tally), solutions.counts()).write(out_dir)


def harvest_trees(
    trees: Iterable[Tree], out_dir: Path, scale: LabelScale, right: int = 4, wrong: int = 4
) -> LabelHarvest:
    """Labels of at most ``right`` right and ``wrong`` wrong solutions a tree, of the kind that ``scale`` names in
    train.labels.tree_labels, each step labelled once a tree; and the outcomes of these solutions.

    Counts of the source: ``trees``, and those ``without_solution``; the ``completions`` of searches for labels, and all
    ``generated_tokens`` of these.
    """
    tally, cost = Counter[str](trees=0, without_solution=0), Spent()
    out_dir.mkdir(parents=True, exist_ok=True)
    with label_file(out_dir) as labels, outcome_file(out_dir) as solutions:
        for tree in trees:
            found = tree_labels(tree, scale, right, wrong)
            tally.update(trees=1, without_solution=int(not found))
            cost.add(tree)
            for record in without_repeats(found):
                labels.add(record)
            for outcome in outcomes(tree, right, wrong):
                solutions.add(outcome)
    return LabelHarvest(labels.counts(), {**tally, **cost.counts()}, solutions.counts()).write(out_dir)


def harvest_consensus(
    trees: Iterable[Tree], out_dir: Path, right: int = 4, wrong: int = 4, judge_threshold: float = 0.5
) -> LabelHarvest:
    """Hard labels of those solutions on whose first error the reward model that scored the trees agrees.

    ``judge_threshold``: a step is wrong to it where its share of right, (1 + score) / 2, is at most so much. The counts
    of the source are train.labels.consensus's. Labels by completion (step_labelling.py) or from any other scored tree.
    """
    tally, cost = Counter[str](), Spent()
    out_dir.mkdir(parents=True, exist_ok=True)
    with label_file(out_dir) as labels, outcome_file(out_dir) as ends:
        for tree in trees:
            cost.add(tree)
            records = tree_labels(tree, LabelScale.SIGN, right, wrong)
            kept, counts = consensus(records, score_labels(tree, right, wrong), judge_threshold=judge_threshold)
            tally.update(asdict(counts))
            for record in without_repeats(kept):
                labels.add(record)
            for outcome in outcomes(tree, right, wrong):
                ends.add(outcome)
    return LabelHarvest(labels.counts(), {**tally, **cost.counts()}, ends.counts()).write(out_dir)


@dataclass(slots=True)
class Spent:
    """What searches for labels drew, summed over trees: nothing is said of other trees."""

    completions: int = 0
    generated_tokens: int = 0

    def add(self, tree: Tree) -> None:
        if tree.strategy in LABELLING:
            self.completions += sum(node.completions for node in tree.nodes)
            self.generated_tokens += tree.cost.generated_tokens

    def counts(self) -> dict[str, int]:
        return asdict(self) if self.completions else {}
