"""Compute accuracies with intervals and costs from stored trees: the one place where answers meet the reference."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import fsum

from cluster.evaluation.records import Measure
from search.core.values import reward_rank
from search.data import Aggregation, Cost, Problem
from search.evaluation import voting
from search.evaluation.aggregation import LOWEST, Rank
from search.evaluation.best_of_n_curves import UNFINISHED as UNFINISHED_SAMPLE
from search.evaluation.best_of_n_curves import ScoredSample
from search.evaluation.confidence import Interval, mean_of_shares, paired_difference
from search.grading.voting import merged_keys
from search.protocols import Grader
from search.strategies.registry import STRATEGIES
from search.tree import Tree

ProblemAccuracies = Mapping[str, float]  # problem id -> expected accuracy in [0, 1]


@dataclass(frozen=True, slots=True)
class Solutions:
    """The independent solutions of one problem: their answers (None: unfinished), whether each is correct, their ranks."""

    answers: tuple[str | None, ...]
    correct: tuple[bool, ...]
    ranks: tuple[Rank, ...]


def read_solutions(
    tree: Tree,
    problem: Problem,
    grader: Grader,
    ranks: Mapping[int, Rank] | None = None,
    aggregation: Aggregation = Aggregation.LAST,
) -> Solutions:
    """Return the solutions of a tree of independent samples. Merged samples count as often as they were drawn.

    ``aggregation`` makes one rank of a solution's step scores. ``ranks`` (node index -> rank of the solution) replace
    those of the tree, for instance by those of another reward model. A solution without an answer has the lowest.
    """
    answers: list[str | None] = []
    correct: list[bool] = []
    solution_ranks: list[Rank] = []
    for index, node in enumerate(tree.nodes):
        if node.children or node.step is None:
            continue
        answer = node.step.answer
        if ranks is not None:
            rank = ranks.get(index, LOWEST)
        else:
            rank = LOWEST if node.logit is None else reward_rank(tree, index, aggregation)
        answers += [answer] * node.multiplicity
        correct += [grader.grade(problem, answer)] * node.multiplicity
        solution_ranks += [LOWEST if answer is None else rank] * node.multiplicity
    return Solutions(tuple(answers), tuple(correct), tuple(solution_ranks))


def read_samples(
    tree: Tree, problem: Problem, grader: Grader, step_log_odds: Sequence[Sequence[float]]
) -> Iterator[tuple[ScoredSample, int]]:
    """Yield the solutions in a tree with their step scores, each with the number of times it was drawn.

    ``step_log_odds``: the scores of every finished solution's steps as log-odds, in the order of ``tree.terminals``.
    """
    remaining = iter(step_log_odds)
    for node in tree.nodes:
        if node.answer is not None:
            correct = grader.grade(problem, node.answer)
            yield ScoredSample(tuple(next(remaining)), node.answer, correct), node.multiplicity
        elif node.step is not None and not node.children:
            yield UNFINISHED_SAMPLE, node.multiplicity


def trees_by_problem(trees: Iterable[Tree], problems: Iterable[Problem]) -> dict[str, list[Tree]]:
    """Return the trees of each problem by its id, in their order: none of a problem whose trees were quarantined."""
    groups: dict[str, list[Tree]] = {problem.id: [] for problem in problems}
    for tree in trees:
        groups[tree.problem.id].append(tree)
    return groups


def total_cost(trees: Iterable[Tree]) -> Cost:
    """Return the summed cost of all trees. Seconds are summed over trees that were searched concurrently."""
    cost = Cost()
    for tree in trees:
        cost = cost + tree.cost
    return cost


def answer_accuracies(
    trees: Sequence[Tree], problems: Mapping[str, Problem], grader: Grader, number: int = 1
) -> ProblemAccuracies:
    """Return for each problem the share of its ``number`` trees that have the correct answer.

    A tree of one sample has its answer.
    """
    return _by_problem(trees, problems, lambda tree, problem: float(grader.grade(problem, _answer(tree))), number)


def _answer(tree: Tree) -> str | None:
    if STRATEGIES[tree.strategy].chooses_answer:
        return tree.answer
    step = tree.nodes[-1].step
    return step.answer if step is not None else None


def majority_accuracies(trees: Sequence[Tree], problems: Mapping[str, Problem], grader: Grader) -> ProblemAccuracies:
    """Return for each problem the share of the majority vote's win that goes to correct answers.

    Equally frequent answers share the win.
    """

    def majority_accuracy(tree: Tree, problem: Problem) -> float:
        solutions = read_solutions(tree, problem, grader)
        keys = merged_keys(solutions.answers)
        return voting.majority_at_k(solutions.answers, solutions.correct, len(solutions.answers), key=keys.__getitem__)

    return _by_problem(trees, problems, majority_accuracy)


def best_of_n_accuracies(
    trees: Sequence[Tree],
    problems: Mapping[str, Problem],
    grader: Grader,
    n: int,
    ranks: Mapping[str, Mapping[int, Rank]] | None = None,
    aggregation: Aggregation = Aggregation.LAST,
) -> ProblemAccuracies:
    """Return for each problem the expected accuracy of the best-scored of ``n`` samples.

    The expectation is over all subsets of n samples (the unbiased estimator of V-STaR, arXiv 2402.06457). ``ranks``
    (name of the tree -> node index -> rank) replace those of the trees.
    """

    def best_of_n_accuracy(tree: Tree, problem: Problem) -> float:
        tree_ranks = None if ranks is None else ranks[tree.name]
        solutions = read_solutions(tree, problem, grader, tree_ranks, aggregation)
        return voting.best_of_k(solutions.correct, solutions.ranks, min(n, len(solutions.correct)))

    return _by_problem(trees, problems, best_of_n_accuracy)


def count_ties(trees: Iterable[Tree], aggregation: Aggregation = Aggregation.LAST) -> int:
    """Return the number of trees of samples in which two different answers share the highest rank."""
    ties = 0
    for tree in trees:
        ends = [index for index in tree.terminals() if tree.nodes[index].logit is not None]
        answers = [tree.nodes[index].answer for index in ends]
        ranks = [reward_rank(tree, index, aggregation) for index in ends]
        ties += voting.top_answers(answers, ranks, key=merged_keys(answers).__getitem__) > 1
    return ties


def _by_problem(
    trees: Sequence[Tree],
    problems: Mapping[str, Problem],
    accuracy: Callable[[Tree, Problem], float],
    number: int = 1,
) -> ProblemAccuracies:
    """Return the accuracy of each problem, the mean over its ``number`` trees. One that was quarantined is incorrect."""
    of_problem: dict[str, list[float]] = {problem_id: [] for problem_id in problems}
    for tree in trees:
        of_problem[tree.problem.id].append(accuracy(tree, problems[tree.problem.id]))
    return {problem_id: fsum(values) / max(number, len(values)) for problem_id, values in of_problem.items()}


def measure(accuracies: ProblemAccuracies, trees: Sequence[Tree], seconds: float, ties: int = 0) -> Measure:
    """Return the mean accuracy over all problems with its interval, the cost of the trees, and the ``ties``."""
    interval = mean_of_shares(list(accuracies.values()))
    return Measure(
        accuracy=interval.mean,
        low=interval.low,
        high=interval.high,
        n=interval.n,
        tokens=total_cost(trees).generated_tokens,
        seconds=round(seconds, 1),
        ties=ties,
    )


def margins(methods: Mapping[str, ProblemAccuracies]) -> dict[str, Interval]:
    """Return by how much search exceeds majority and best-of-N, each where it was measured. Empty without a search."""
    if "search" not in methods:
        return {}
    return {name: margin(methods["search"], methods[name]) for name in ("majority", "best_of_n") if name in methods}


def margin(first: ProblemAccuracies, second: ProblemAccuracies) -> Interval:
    """Return the mean of ``first - second`` over the problems that both were measured on."""
    shared = [problem_id for problem_id in first if problem_id in second]
    return paired_difference(
        [first[problem_id] for problem_id in shared], [second[problem_id] for problem_id in shared]
    )
