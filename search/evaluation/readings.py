"""Read stored trees by every rule for an answer, and what accuracy each rule is expected to have.

    best        the answer of the best-scored solution
    weighted    a vote: a solution weighs the probability that it is correct, as often as it was drawn
    posterior   a vote: it weighs the policy's share of its path times its strength under the reward model
    majority    a vote: it weighs as often as it was drawn
    coverage    no rule, but the bound of all of them: whether any solution is correct

Every rule gives each *answer* a strength, and the strongest answer wins. Answers are equal if their values are
(``search.grading.voting.merged_keys``). One tie rule holds for all: answers of the greatest strength share the win equally,
as they would if a random one were taken. (``voting.best_of_k`` shares it between tied *samples*: it estimates the best of k
drawn samples and needs their number.)

A problem may have several trees: their solutions are read together. Grades in a tree are not read: a reading is what a
search without the reference could answer. Trees of samples have the same readings as any other where the samples were
scored (strategy "best_of_n"); without scores only the majority and the coverage mean something (``are_scored``).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from statistics import fmean
from typing import TypeVar

from search.data import Aggregation
from search.evaluation.aggregation import Rank, exact_weights, probability_weights
from search.evaluation.solutions import FinishedSolution, finished_solutions
from search.grading.voting import SameValue, merged_keys
from search.tree import Tree

BEST, WEIGHTED, POSTERIOR, MAJORITY = "best", "weighted", "posterior", "majority"
READINGS = (BEST, WEIGHTED, POSTERIOR, MAJORITY)
COVERAGE = "coverage"
Strength = TypeVar("Strength", int, Rank)

GRADE_LOG_ODDS = 1e4  # of a grade in a posterior vote, where an infinite weight would hide the policy's share


def read_trees_of_problem(
    trees: Iterable[Tree], aggregation: Aggregation, is_correct: Callable[[str], bool]
) -> dict[str, float]:
    """Return the expected accuracy of each of READINGS over the trees of one problem, and their COVERAGE.

    ``aggregation`` makes one score of the rewards of a solution's steps; ``is_correct`` grades an answer.
    """
    return expected_accuracies(finished_solutions(trees, aggregation), is_correct)


def expected_accuracies(
    solutions: Sequence[FinishedSolution], is_correct: Callable[[str], bool], same_value: SameValue | None = None
) -> dict[str, float]:
    """Return the expected accuracy in [0, 1] of each of READINGS, and the COVERAGE; all 0 without solutions.

    Solutions 7, 7 and 8 with probabilities 0.4, 0.4 and 0.9, 7 correct: majority 1, weighted 0 (0.8 against 0.9), best 0,
    coverage 1. With a further 8 of probability 0.1 the majority ties: 0.5. ``same_value``: as in ``merged_keys``.
    """
    keys = merged_keys((solution.answer for solution in solutions), same_value)
    grades = {answer: is_correct(answer) for answer in keys}
    drawn, correct = Counter[str](), Counter[str]()
    for solution in solutions:
        key = keys[solution.answer]
        drawn[key] += solution.multiplicity
        correct[key] += solution.multiplicity * grades[solution.answer]
    names = [keys[solution.answer] for solution in solutions]
    accuracies = {}
    for reading in READINGS:
        strongest = strongest_answers(names, solutions, reading)
        accuracies[reading] = fmean(correct[key] / drawn[key] for key in strongest) if strongest else 0.0
    return {**accuracies, COVERAGE: float(any(grades.values()))}


def strongest_answers(names: Sequence[str], solutions: Sequence[FinishedSolution], reading: str) -> list[str]:
    """Return the answers that win by a rule, several where they tie. ``names``: of each solution's answer, in order."""
    if reading == BEST:
        ranks: dict[str, Rank] = {}
        for name, solution in zip(names, solutions, strict=True):
            ranks[name] = max(ranks.get(name, solution.rank), solution.rank)
        return strongest(ranks)
    sums = Counter[str]()
    for name, weight in zip(names, vote_weights(solutions, reading), strict=True):
        sums[name] += weight
    return strongest(sums)


def strongest(strengths: Mapping[str, Strength]) -> list[str]:
    """Return the names of the greatest strength, several where they tie; none of an empty mapping."""
    top = max(strengths.values(), default=None)
    return [name for name, strength in strengths.items() if strength == top]


def vote_weights(solutions: Sequence[FinishedSolution], reading: str) -> list[int]:
    """Return the weights of the solutions in a vote, as integers whose sums are exact. Raises ValueError for no vote."""
    if reading == MAJORITY:
        return [solution.multiplicity for solution in solutions]
    if reading == WEIGHTED:
        weights = probability_weights([solution.log_odds for solution in solutions])
        return [solution.multiplicity * weight for solution, weight in zip(solutions, weights, strict=True)]
    if reading == POSTERIOR:
        return exact_weights([solution.log_share + log_strength(solution.log_odds) for solution in solutions])
    raise ValueError(f"{reading!r} is no vote: one of {WEIGHTED}, {POSTERIOR}, {MAJORITY}")


def log_strength(log_odds: float) -> float:
    """Return the logarithm logit / squash_scale of a solution's Bradley-Terry strength; a grade counts as 1e4 log-odds.

    Bradley and Terry (1952): of two solutions one is preferred with probability strength / (sum of both strengths), the
    logistic function of the difference of logits that the pairwise loss trains. So a constant that a reward model adds
    to all its logits changes no vote, while it changes (1 + value) / 2. Value 0.6 is tanh(0.693), strength 2.
    """
    return max(-GRADE_LOG_ODDS, min(GRADE_LOG_ODDS, log_odds)) / 2


def are_scored(solutions: Sequence[FinishedSolution]) -> bool:
    """Return whether rules that read scores mean something: each solution has a reward, or all answers are one.

    Answers are compared as written, which asks for scores rather too often.
    """
    return all(solution.is_scored for solution in solutions) or len({solution.answer for solution in solutions}) < 2
