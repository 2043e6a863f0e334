"""From stored trees to accuracies with intervals and costs. The one place where a measured answer meets the reference.

Pure functions over trees: knows no engine and no file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from cluster.evaluation.records import Measure
from search.core.values import path_reward
from search.data import Cost, Problem
from search.evaluation import voting
from search.evaluation.best_of_n_curves import UNFINISHED as NO_END
from search.evaluation.best_of_n_curves import JudgedSample
from search.evaluation.confidence import Interval, mean_of_shares, paired_difference
from search.evaluation.voting import Aggregation
from search.protocols import Grader
from search.tree import Tree

Shares = Mapping[str, float]  # problem id -> in [0, 1], how much of the problem was got right


@dataclass(frozen=True, slots=True)
class Solutions:
    """The independent solutions of one problem: answers (None: no end), right or not, scores (worst without one)."""

    answers: tuple[str | None, ...]
    correct: tuple[bool, ...]
    scores: tuple[float, ...]


UNFINISHED = -2.0  # below every score in [-1, 1]: a solution without an answer is never preferred to one with


def solutions(
    tree: Tree,
    problem: Problem,
    grader: Grader,
    scores: Mapping[int, float] | None = None,
    how: Aggregation = Aggregation.LAST,
) -> Solutions:
    """Read a tree of independent samples; merged samples count as often as they were drawn.

    ``how`` makes one score of a solution's steps.
    ``scores`` (node index -> score) stand in for the scores in the tree, where another PPM is asked.
    """
    answers: list[str | None] = []
    correct: list[bool] = []
    values: list[float] = []
    for index, node in enumerate(tree.nodes):
        if node.children or node.step is None:
            continue
        answer = node.step.answer
        right = grader.grade(problem, answer)
        if scores is not None:
            score = scores.get(index, UNFINISHED)
        else:
            score = UNFINISHED if node.score is None else path_reward(tree, index, how)
        value = UNFINISHED if answer is None else score
        answers += [answer] * node.multiplicity
        correct += [right] * node.multiplicity
        values += [value] * node.multiplicity
    return Solutions(tuple(answers), tuple(correct), tuple(values))


def judged(
    tree: Tree, problem: Problem, grader: Grader, scores: Sequence[Sequence[float]]
) -> Iterator[tuple[JudgedSample, int]]:
    """The solutions in a tree, each with the number of times it was drawn.

    ``scores``: for every finished solution, in the order of ``tree.terminals``, the scores of its steps in [0, 1].
    """
    waiting = iter(scores)
    for node in tree.nodes:
        if node.answer is not None:
            yield JudgedSample(tuple(next(waiting)), node.answer, grader.grade(problem, node.answer)), node.multiplicity
        elif node.step is not None and not node.children:
            yield NO_END, node.multiplicity


def total(trees: Iterable[Tree]) -> Cost:
    """What all trees cost together; seconds are summed over trees that grew side by side."""
    cost = Cost()
    for tree in trees:
        cost = cost + tree.cost
    return cost


def single(trees: Sequence[Tree], problems: Mapping[str, Problem], grader: Grader) -> Shares:
    """Whether the one answer is right that each tree settled on, or that its only solution has."""
    return _shares(trees, problems, lambda tree, problem: settled_right(tree, problem, grader))


def settled_right(tree: Tree, problem: Problem, grader: Grader) -> float:
    """1.0 where the answer that the tree settled on is right, else 0.0."""
    return float(grader.grade(problem, settled_answer(tree)))


def settled_answer(tree: Tree) -> str | None:
    """The tree's answer; for a tree of one sample, that sample's."""
    if tree.strategy != "samples":
        return tree.answer
    step = tree.nodes[-1].step
    return step.answer if step is not None else None


def majority(trees: Sequence[Tree], problems: Mapping[str, Problem], grader: Grader) -> Shares:
    """The most frequent answer among all samples of a problem; equally frequent answers share the win."""
    return _shares(trees, problems, lambda tree, problem: majority_right(tree, problem, grader))


def majority_right(tree: Tree, problem: Problem, grader: Grader) -> float:
    """The share in [0, 1] of the win that goes to right answers."""
    found = solutions(tree, problem, grader)
    return voting.majority_at_k(found.answers, found.correct, len(found.answers))


def best_of(
    trees: Sequence[Tree],
    problems: Mapping[str, Problem],
    grader: Grader,
    k: int,
    scores: Mapping[str, Mapping[int, float]] | None = None,
    how: Aggregation = Aggregation.LAST,
) -> Shares:
    """Expected accuracy of the best-scored of ``k`` samples, over all k-subsets (V-STaR's unbiased estimator)."""

    def right(tree: Tree, problem: Problem) -> float:
        found = solutions(tree, problem, grader, None if scores is None else scores[problem.id], how)
        return voting.best_of_k(found.correct, found.scores, min(k, len(found.correct)))

    return _shares(trees, problems, right)


def _shares(trees: Sequence[Tree], problems: Mapping[str, Problem], right: Callable[[Tree, Problem], float]) -> Shares:
    """A problem that has no tree, because it was quarantined, counts as wrong."""
    found = {tree.problem.id: right(tree, problems[tree.problem.id]) for tree in trees}
    return {name: found.get(name, 0.0) for name in problems}


def measured(shares: Shares, trees: Sequence[Tree], seconds: float) -> Measure:
    """The accuracy over all problems, and what their trees cost."""
    interval = mean_of_shares(list(shares.values()))
    tokens = total(trees).generated_tokens
    return Measure(interval.mean, interval.low, interval.high, interval.n, tokens, round(seconds, 1))


def leads(methods: Mapping[str, Shares]) -> dict[str, Interval]:
    """How far search is above majority and best-of, each where it was measured; nothing without a search."""
    if "search" not in methods:
        return {}
    return {name: lead(methods["search"], methods[name]) for name in ("majority", "best_of_n") if name in methods}


def lead(first: Shares, second: Shares) -> Interval:
    """How far ``first`` is above ``second`` on the problems that both were measured on."""
    both = [name for name in first if name in second]
    return paired_difference([first[name] for name in both], [second[name] for name in both])
