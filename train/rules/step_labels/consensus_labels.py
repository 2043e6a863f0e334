"""Step labels on whose first error the reward model agrees (Qwen's PRM, arXiv 2501.07301)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

from search.data import LabelScale
from search.tree import Tree
from train.labels.consensus import filter_by_consensus
from train.labels.files import LabelHarvest, open_label_files
from train.labels.tree_labels import LabellingCost, label_tree, outcomes, score_labels, without_repeats
from train.rules.base import HarvestResult, HarvestRule, NoOptions, RuleInputs
from train.rules.step_labels.tree_labels import FILES, MAX_LABELLED, bound_by_labels, label_result


def harvest(
    trees: Iterable[Tree],
    out_dir: Path,
    max_correct: int = MAX_LABELLED,
    max_incorrect: int = MAX_LABELLED,
    score_threshold: float = 0.5,
) -> LabelHarvest:
    """Write hard labels of those solutions on whose first error the reward model that scored the trees agrees.

    A step counts as incorrect to the reward model if its share of correct, (1 + score) / 2, is at most
    ``score_threshold``. Any scored tree will do, labelled by completion or not. Counts of the source: those of
    ``ConsensusCounts``, and the cost as in ``train.rules.step_labels.tree_labels``.
    """
    tally, cost = Counter[str](), LabellingCost()
    with open_label_files(out_dir) as files:
        for tree in trees:
            cost.add(tree)
            labelled = label_tree(tree, LabelScale.SIGN, max_correct, max_incorrect)
            scored = score_labels(tree, max_correct, max_incorrect)
            kept, counts = filter_by_consensus(labelled, scored, judge_threshold=score_threshold)
            tally.update(asdict(counts))
            files.add_labels(without_repeats(kept))
            files.add_outcomes(outcomes(tree, max_correct, max_incorrect))
    return files.finish({**tally, **cost.counts()})


def _write(inputs: RuleInputs, options: NoOptions, out_dir: Path) -> HarvestResult:
    return label_result(harvest(inputs.trees, out_dir))


RULE = HarvestRule(
    name="consensus_labels",
    write=_write,
    files=FILES,
    reads_history=True,
    needs_scores=True,
    bound=bound_by_labels,
)
