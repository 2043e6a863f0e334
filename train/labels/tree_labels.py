"""Step labels from search trees: what the ends below a step say about it. Pure functions over trees.

An end is right if it was graded right, wrong if it was graded wrong or has no answer (code error, no answer, too deep);
an end counts as often as it was drawn (its multiplicity). The kinds of labels, by scale:

    SIGN   hard: 1 if any end at or below the step is right, else -1 (Math-Shepherd's hard estimation, arXiv 2312.08935)
    SHARE  soft: the share of right ends among all ends at or below the step (its soft estimation)
    VALUE  soft: Q of the node (rStar-Math, section 3.2), which holds the prior score where the search had a reward model

In trees of a search for labels (step_labelling.py) SIGN and SHARE come from the completions that it drew: its nodes' labels.

A step without any end at or below it has no label, and no value where it was never visited or scored either. Steps of
the same text after the same steps are one step for SIGN and SHARE, in whichever nodes they are: independent samples are
chains side by side, and it is their common beginnings that tell a step's chances.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from search.config import LABELLING
from search.data import LabelScale, StepLabels, Trajectory
from search.tree import ROOT, Node, Tree
from train.labels.first_error import hard

Places = Sequence[int]  # for each node the first node that stands for the same steps


def tree_labels(tree: Tree, scale: LabelScale, right: int = 4, wrong: int = 4) -> list[StepLabels]:
    """Labels for every step of the tree's solutions: at most ``right`` right and ``wrong`` wrong ones, as ``solutions``
    chooses them. Steps that several solutions share have the same label in each."""
    completed = tree.strategy in LABELLING and scale is not LabelScale.VALUE
    if completed and scale is LabelScale.SIGN:
        return [hard(record) for record in tree_labels(tree, LabelScale.SHARE, right, wrong)]
    labels = [node.label for node in tree.nodes] if completed else node_labels(tree, scale)
    return [
        StepLabels(tree.problem, tree.steps(end), tuple(labels[node] for node in tree.path(end)), scale)
        for end in solutions(tree, right, wrong)
    ]


def solutions(tree: Tree, right: int = 4, wrong: int = 4) -> list[int]:
    """The last nodes of graded answers, first right ones, then wrong ones, each at most so many.

    Those visited most often come first, then those drawn most often, then those grown first: wrong answers that a search
    came back to are the convincing ones.
    """
    graded = [index for index in tree.terminals() if tree.nodes[index].correct is not None]
    ranked = sorted(graded, key=lambda index: (-tree.nodes[index].visits, -tree.nodes[index].multiplicity))
    rights = [index for index in ranked if tree.nodes[index].correct]
    wrongs = [index for index in ranked if not tree.nodes[index].correct]
    return rights[:right] + wrongs[:wrong]


def outcomes(tree: Tree, right: int = 4, wrong: int = 4) -> list[Trajectory]:
    """The same solutions with their outcome; ``q`` is 1 or -1, as the end was graded."""
    ends = solutions(tree, right, wrong)
    graded = [(end, tree.nodes[end].correct is True) for end in ends]
    return [Trajectory(tree.problem, tree.steps(end), ok, 1.0 if ok else -1.0) for end, ok in graded]


def without_repeats(records: Iterable[StepLabels]) -> Iterator[StepLabels]:
    """The records with every step labelled once: what an earlier record has labelled after the same steps is without a
    label in later ones. Records of one problem; those without a label left are left out."""
    known = set[tuple[str, ...]]()
    for record in records:
        texts = tuple(step.text for step in record.steps)
        paths = [texts[:end] for end in range(1, len(record.labels) + 1)]
        labels = tuple(None if path in known else label for path, label in zip(paths, record.labels, strict=True))
        known.update(path for path, label in zip(paths, labels, strict=True) if label is not None)
        if any(label is not None for label in labels):
            yield replace(record, labels=labels)


def node_labels(tree: Tree, scale: LabelScale) -> list[float | None]:
    """The label of each node on ``scale`` by what lies below it; that of the root is the question's."""
    if scale is LabelScale.VALUE:
        return [_value(node) for node in tree.nodes]
    places = _places(tree)
    right, ends = [0] * len(places), [0] * len(places)
    for index in range(len(places) - 1, ROOT - 1, -1):  # children come after their parents
        node, place = tree.nodes[index], places[index]
        outcome = _outcome(node)
        if outcome is not None:
            ends[place] += node.multiplicity
            right[place] += node.multiplicity * outcome
        if place == index and index != ROOT:
            parent = places[node.parent]
            right[parent] += right[index]
            ends[parent] += ends[index]
    return [_label(right[place], ends[place], scale) for place in places]


def score_labels(tree: Tree, right: int = 4, wrong: int = 4) -> list[StepLabels]:
    """What the reward model says of the steps of the same solutions as ``tree_labels``: its scores, in [-1, 1]."""
    return [
        StepLabels(tree.problem, tree.steps(end), tuple(tree.nodes[i].score for i in tree.path(end)), LabelScale.VALUE)
        for end in solutions(tree, right, wrong)
    ]


def _label(right: int, ends: int, scale: LabelScale) -> float | None:
    if not ends:
        return None
    return right / ends if scale is LabelScale.SHARE else 1.0 if right else -1.0


def _places(tree: Tree) -> Places:
    """For each node the first one of the same text below the same steps."""
    places, known = [ROOT], dict[tuple[int, str], int]()
    for index, node in enumerate(tree.nodes[1:], 1):
        text = node.step.text if node.step is not None else ""
        places.append(known.setdefault((places[node.parent], text), index))
    return places


def _outcome(node: Node) -> bool | None:
    """Whether a node is a right end or a wrong one; None for one that is no end, or that nobody graded."""
    return False if node.failed else node.correct


def _value(node: Node) -> float | None:
    """Q; an end that was never visited stands at its outcome."""
    outcome = _outcome(node)
    if outcome is not None and not node.visits:
        return 1.0 if outcome else -1.0
    return max(-1.0, min(1.0, node.q)) if node.weight else None
