"""Synthetic supervision of Let's Verify Step by Step (arXiv 2305.20050, appendix H): a large PRM labels for a small one.

The large one is the reward model that scored the trees (``reward_model.path`` and ``values: reward_model``). The model that
is trained on the labels takes its place once it is promoted, so a run labels in one round only.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from pydantic import Field

from search.data import StepLabels, Trajectory
from search.reward_models import RewardModelKind, probability
from search.tree import Node, Tree
from train.labels.files import LabelHarvest, open_label_files
from train.labels.tree_labels import without_repeats
from train.rules.base import REWARD_MODEL, HarvestResult, HarvestRule, RuleInputs, RuleOptions
from train.rules.step_labels.tree_labels import FILES, label_result

UNSCORED = (
    "not one solution has a score of every step: the trees need a reward model (values: reward_model) that scores all of "
    "them (search.step_aggregation: product)"
)


class SyntheticLabelsOptions(RuleOptions):
    """When the reward model calls a step incorrect."""

    threshold: float = Field(
        0.2,
        gt=0,
        lt=1,
        description="synthetic_labels: a step is incorrect if its probability of being so is above this (paper: 0.2)",
    )


def step_signs(incorrect: Iterable[float], threshold: float) -> tuple[float, ...]:
    """Return labels up to and including the first incorrect step, from the probabilities that steps are incorrect.

    0.05, 0.2, 0.21, 0.01 with the threshold 0.2 → (1, 1, -1).
    """
    signs: list[float] = []
    for share in incorrect:
        signs.append(-1.0 if share > threshold else 1.0)
        if signs[-1] < 0:
            break
    return tuple(signs)


def incorrect_probability(node: Node, kind: RewardModelKind | None) -> float | None:
    """Return 1 - P(correct or neutral) of a scored step, read as the kind of reward model is; None without a score."""
    if node.logit is None:
        return None
    return 1 - probability(node.logit, kind or RewardModelKind.PPM, node.squash_scale)


def synthetic_labels(tree: Tree, threshold: float) -> dict[int, StepLabels]:
    """Return the labels of all solutions that have an answer and a score of every step, by their last nodes."""
    records = {}
    for end in tree.terminals():
        shares = [incorrect_probability(tree.nodes[index], tree.reward_kind) for index in tree.solution(end)]
        scored = [share for share in shares if share is not None]
        if len(scored) == len(shares):
            records[end] = StepLabels(tree.problem, tree.steps(end), labels=step_signs(scored, threshold))
    return records


def to_outcome(record: StepLabels) -> Trajectory:
    """Return a labelled solution with the outcome that its labels say: correct if no step is incorrect."""
    correct = -1.0 not in record.labels
    return Trajectory(record.problem, record.steps, correct=correct, q=1.0 if correct else -1.0)


def harvest(trees: Iterable[Tree], out_dir: Path, threshold: float = 0.2) -> LabelHarvest:
    """Write the labels, each step labelled once a tree, and the outcomes that they say, whatever the grades.

    Counts of the source: ``trees``; ``solutions`` with an answer, of which ``unscored`` lack the score of a step; of the
    others those ``graded``, and those whose grade ``agreed`` with the outcome.
    """
    tally = Counter[str](trees=0, solutions=0, unscored=0, graded=0, agreed=0)
    with open_label_files(out_dir) as files:
        for tree in trees:
            records, solutions = synthetic_labels(tree, threshold), sum(1 for _ in tree.terminals())
            tally.update(trees=1, solutions=solutions, unscored=solutions - len(records))
            files.add_labels(without_repeats(records.values()))
            for end, record in records.items():
                outcome, grade = to_outcome(record), tree.nodes[end].correct
                tally.update(graded=int(grade is not None), agreed=int(grade is outcome.correct))
                files.add_outcomes([outcome])
    return files.finish(dict(tally))


def _write(inputs: RuleInputs, options: SyntheticLabelsOptions, out_dir: Path) -> HarvestResult:
    result = label_result(harvest(inputs.trees, out_dir, options.threshold))
    if result.counts["solutions"] and result.counts["solutions"] == result.counts["unscored"]:
        return replace(result, nothing_to_learn=dict.fromkeys(FILES[REWARD_MODEL], UNSCORED))
    return result


RULE = HarvestRule(
    name="synthetic_labels", write=_write, files=FILES, options=SyntheticLabelsOptions, needs_scores=True
)
