"""Derive step labels from search trees.

A leaf is correct if it was graded correct. It is incorrect if it was graded incorrect or has no answer (code error, no
answer, too deep). A leaf counts as often as it was drawn (its multiplicity). The kinds of labels, by scale:

    SIGN   hard: 1 if any leaf at or below the step is correct, else -1 (Math-Shepherd's hard estimation, arXiv 2312.08935)
    SHARE  soft: the share of correct leaves among all leaves at or below the step (its soft estimation)
    VALUE  soft: Q of the node (rStar-Math, section 3.2), which holds the prior score if the search had a reward model

In trees of step labelling (Math-Shepherd, first-error search, OmegaPRM) SIGN and SHARE come from the completions that the
search drew: the labels of its nodes. SIGN is then 1 also for a step without an estimate that comes before a correct one.

A step without any leaf at or below it has no label, and no value if it was never visited or scored either. Steps of the
same text after the same steps are one step for SIGN and SHARE, in whichever nodes they are: independent samples are chains
side by side, and a step's chances show in their common beginnings.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace

from search.data import LabelScale, StepLabels, Trajectory
from search.strategies.labelling.monte_carlo_labels import COMPLETION
from search.strategies.registry import STRATEGIES
from search.tree import ROOT, Tree
from train.labels.first_error import infer_correct, to_hard_labels
from train.labels.node_values import leaf_outcome, q_with_score


def label_tree(tree: Tree, scale: LabelScale, max_correct: int = 4, max_incorrect: int = 4) -> list[StepLabels]:
    """Return labels for every step of the solutions that ``labelled_solutions`` chooses.

    Steps that several solutions share have the same label in each. Steps that a search for labels did not estimate have
    none on the scale SHARE.
    """
    by_completion = is_labelled_by_completion(tree) and scale is not LabelScale.VALUE
    if by_completion and scale is LabelScale.SIGN:
        soft = label_tree(tree, LabelScale.SHARE, max_correct, max_incorrect)
        return [infer_correct(to_hard_labels(record)) for record in soft]
    labels = [node.label for node in tree.nodes] if by_completion else node_labels(tree, scale)
    return [
        StepLabels(tree.problem, tree.steps(end), labels=tuple(labels[node] for node in tree.path(end)), scale=scale)
        for end in labelled_solutions(tree, max_correct, max_incorrect)
    ]


def is_labelled_by_completion(tree: Tree) -> bool:
    """Return True if the tree was grown by a strategy for step labelling."""
    strategy = STRATEGIES.get(tree.strategy)
    return strategy is not None and strategy.needs_answers


def labelled_solutions(tree: Tree, max_correct: int = 4, max_incorrect: int = 4) -> list[int]:
    """Choose solutions to label: the indices of graded answers, first correct ones, then incorrect ones.

    Of each kind those visited most often come first, then those drawn most often, then those grown first: incorrect
    answers that a search came back to are the convincing ones. In a tree of step labelling they are all solutions that
    labels were made for, whatever their number, and no completion that only served the label of another one's step.
    """
    graded = [index for index in tree.terminals() if tree.nodes[index].correct is not None]
    if is_labelled_by_completion(tree):
        graded = [index for index in graded if _was_to_be_labelled(tree, index)]
        max_correct = max_incorrect = len(graded)
    ranked = sorted(graded, key=lambda index: (-tree.nodes[index].visits, -tree.nodes[index].multiplicity))
    correct = [index for index in ranked if tree.nodes[index].correct]
    incorrect = [index for index in ranked if not tree.nodes[index].correct]
    return correct[:max_correct] + incorrect[:max_incorrect]


def _was_to_be_labelled(tree: Tree, end: int) -> bool:
    """Return whether a solution was drawn from the question, or has a label after the steps that it completes."""
    for index in reversed(tree.path(end)):
        if tree.nodes[index].label is not None:
            return True
        if tree.nodes[index].action == COMPLETION:
            return False
    return True


def outcomes(tree: Tree, max_correct: int = 4, max_incorrect: int = 4) -> list[Trajectory]:
    """Return the same solutions with their outcome; ``q`` is 1 if they were graded correct, else -1."""
    ends = labelled_solutions(tree, max_correct, max_incorrect)
    graded = [(end, tree.nodes[end].correct is True) for end in ends]
    return [
        Trajectory(tree.problem, tree.steps(end), correct=correct, q=1.0 if correct else -1.0)
        for end, correct in graded
    ]


def score_labels(tree: Tree, max_correct: int = 4, max_incorrect: int = 4) -> list[StepLabels]:
    """Return the reward model's scores in [-1, 1] of the same solutions, as labels of their steps."""
    return [
        StepLabels(
            tree.problem,
            tree.steps(end),
            labels=tuple(tree.nodes[index].score for index in tree.path(end)),
            scale=LabelScale.VALUE,
        )
        for end in labelled_solutions(tree, max_correct, max_incorrect)
    ]


def without_repeats(records: Iterable[StepLabels]) -> Iterator[StepLabels]:
    """Yield the records of one problem with every step labelled once.

    A step that an earlier record has labelled after the same steps has no label in later ones. Records that no label is
    left of are dropped.
    """
    labelled = set[tuple[str, ...]]()
    for record in records:
        texts = tuple(step.text for step in record.steps)
        prefixes = [texts[:end] for end in range(1, len(record.labels) + 1)]
        labels = tuple(
            None if prefix in labelled else label for prefix, label in zip(prefixes, record.labels, strict=True)
        )
        labelled.update(prefix for prefix, label in zip(prefixes, labels, strict=True) if label is not None)
        if any(label is not None for label in labels):
            yield replace(record, labels=labels)


def node_labels(tree: Tree, scale: LabelScale) -> list[float | None]:
    """Return the label of each node on ``scale`` by the leaves below it; that of the root is the question's."""
    if scale is LabelScale.VALUE:
        return [q_with_score(node) for node in tree.nodes]
    first = _first_equal_nodes(tree)
    correct, leaves = [0] * len(first), [0] * len(first)
    for index in range(len(first) - 1, ROOT - 1, -1):  # children come after their parents
        node, same = tree.nodes[index], first[index]
        outcome = leaf_outcome(node)
        if outcome is not None:
            leaves[same] += node.multiplicity
            correct[same] += node.multiplicity * outcome
        if same == index and index != ROOT:
            parent = first[node.parent]
            correct[parent] += correct[index]
            leaves[parent] += leaves[index]
    return [_label(correct[same], leaves[same], scale) for same in first]


def _label(correct: int, leaves: int, scale: LabelScale) -> float | None:
    if not leaves:
        return None
    return correct / leaves if scale is LabelScale.SHARE else 1.0 if correct else -1.0


def _first_equal_nodes(tree: Tree) -> Sequence[int]:
    """Return for each node the first one of the same text below the same steps."""
    first, known = [ROOT], dict[tuple[int, str], int]()
    for index, node in enumerate(tree.nodes[1:], 1):
        text = node.step.text if node.step is not None else ""
        first.append(known.setdefault((first[node.parent], text), index))
    return first


@dataclass(slots=True)
class LabellingCost:
    """Completions and tokens of step labelling, summed over trees; other trees do not count."""

    completions: int = 0
    generated_tokens: int = 0

    def add(self, tree: Tree) -> None:
        if is_labelled_by_completion(tree):
            self.completions += sum(node.completions for node in tree.nodes)
            self.generated_tokens += tree.cost.generated_tokens

    def counts(self) -> dict[str, int]:
        return asdict(self) if self.completions else {}
