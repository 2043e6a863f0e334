"""Exact step labels of solutions in search trees: by people, or by running each step again (the curriculum's check)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from search.data import StepLabels
from search.tree import Tree
from train.labels.files import LabelHarvest, open_label_files
from train.labels.tree_labels import outcomes
from train.rules.base import HarvestResult, HarvestRule, NoOptions, RuleInput, RuleInputs
from train.rules.step_labels.tree_labels import FILES, label_result


def harvest(trees: Iterable[Tree], labels: Iterable[StepLabels], out_dir: Path) -> LabelHarvest:
    """Write the labels as they are, and the outcomes of solutions in ``trees``. Counts of the source: ``trees``."""
    tally = Counter[str](trees=0)
    with open_label_files(out_dir) as files:
        files.add_labels(labels)
        for tree in trees:
            tally.update(trees=1)
            files.add_outcomes(outcomes(tree))
    return files.finish(dict(tally))


def _write(inputs: RuleInputs, options: NoOptions, out_dir: Path) -> HarvestResult:
    return label_result(harvest(inputs.trees, inputs.checked_labels, out_dir))


RULE = HarvestRule(
    name="checked_labels",
    write=_write,
    files=FILES,
    reads_history=True,
    needs=frozenset({RuleInput.CHECKED_LABELS}),
)
