"""Step labels of the solutions in search trees: rules ``hard_labels``, ``soft_labels`` and ``q_labels``.

The labels are those of ``train.labels.tree_labels``: by completion, or by the leaves below a step.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path

from search.data import LabelScale
from search.tree import Tree
from train.labels.files import LabelHarvest, open_label_files
from train.labels.tree_labels import LabellingCost, label_tree, outcomes, without_repeats
from train.record_files import OUTCOMES, STEP_LABELS
from train.rules.base import REWARD_MODEL, HarvestResult, HarvestRule, NoOptions, RuleInputs, TreeSize

FILES = {REWARD_MODEL: (STEP_LABELS, OUTCOMES)}
MAX_LABELLED = 4  # solutions of a tree that are labelled, of the correct ones and of the incorrect ones each


def harvest(
    trees: Iterable[Tree],
    out_dir: Path,
    scale: LabelScale,
    max_correct: int = MAX_LABELLED,
    max_incorrect: int = MAX_LABELLED,
) -> LabelHarvest:
    """Write labels on ``scale``, each step labelled once a tree, and the outcomes of the same solutions.

    At most ``max_correct`` correct and ``max_incorrect`` incorrect solutions of a tree are labelled; all that a search for
    labels has labelled. Counts of the source:
    ``trees``, and those ``without_solution``; the ``completions`` that searches for labels drew, and all their
    ``generated_tokens``.
    """
    tally, cost = Counter[str](trees=0, without_solution=0), LabellingCost()
    with open_label_files(out_dir) as files:
        for tree in trees:
            labelled = label_tree(tree, scale, max_correct, max_incorrect)
            tally.update(trees=1, without_solution=int(not labelled))
            cost.add(tree)
            files.add_labels(without_repeats(labelled))
            files.add_outcomes(outcomes(tree, max_correct, max_incorrect))
    return files.finish({**tally, **cost.counts()})


def bound_by_labels(options: NoOptions, trees: Sequence[TreeSize]) -> dict[str, int]:
    """Return the most records of one problem: MAX_LABELLED solutions of each kind a tree, labelled and with outcomes.

    Of a tree of step labelling they are all solutions that were labelled.
    """
    solutions = sum(tree.labelled or min(tree.solutions, 2 * MAX_LABELLED) for tree in trees)
    return {STEP_LABELS: solutions, OUTCOMES: solutions}


def label_result(harvest: LabelHarvest) -> HarvestResult:
    """Return the result of a harvest of step labels, whatever their source."""
    labels, ends = harvest.labels, harvest.outcomes
    reasons = {STEP_LABELS: labels.nothing_to_learn, OUTCOMES: ends.nothing_to_learn}
    return HarvestResult(
        counts={
            **harvest.source,
            "labels": labels.labels,
            "correct": ends.correct,
            "incorrect": ends.incorrect,
        },
        summary=(
            f"{labels.labels} step labels in {labels.records} solutions, {ends.correct} correct and {ends.incorrect} "
            "incorrect outcomes"
        ),
        nothing_to_learn={file: reason for file, reason in reasons.items() if reason},
    )


def _write(scale: LabelScale, inputs: RuleInputs, options: NoOptions, out_dir: Path) -> HarvestResult:
    return label_result(harvest(inputs.trees, out_dir, scale))


def _rule(name: str, scale: LabelScale) -> HarvestRule:
    return HarvestRule(name=name, write=partial(_write, scale), files=FILES, reads_history=True, bound=bound_by_labels)


HARD_LABELS = _rule("hard_labels", LabelScale.SIGN)
SOFT_LABELS = _rule("soft_labels", LabelScale.SHARE)
Q_LABELS = _rule("q_labels", LabelScale.VALUE)
