"""Measure what several trees a problem answer together: accuracy by the number of trees, for each way to read them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from cluster.evaluation.accuracy import ProblemAccuracies, total_cost, trees_by_problem
from cluster.evaluation.records import TreeCurve, TreePoint
from search.data import Aggregation, Problem
from search.evaluation.best_of_n_curves import curve_sizes
from search.evaluation.confidence import mean_of_shares
from search.evaluation.readings import COVERAGE
from search.evaluation.tree_votes import TREE_READINGS, VoteRule, readable_trees, vote_accuracies
from search.protocols import Grader
from search.seeds import derive
from search.tree import Tree


def measure_trees(
    trees: Sequence[Tree],
    problems: Sequence[Problem],
    grader: Grader,
    number: int,
    aggregation: Aggregation,
    rule: VoteRule,
) -> tuple[TreeCurve, dict[str, ProblemAccuracies]]:
    """Return the curve of a search with ``number`` trees a problem, and the accuracies of each problem with all of them.

    A tree that is missing (it was quarantined) answers nothing.
    """
    groups = trees_by_problem(trees, problems)
    readable = {
        problem.id: readable_trees(groups[problem.id], number, aggregation, partial(grader.grade, problem))
        for problem in problems
    }
    tokens = total_cost(trees).generated_tokens / len(problems)
    points, by_problem = [], dict[str, dict[str, float]]()
    for k in curve_sizes(number):
        by_problem = {
            problem_id: vote_accuracies(of_problem, k, rule, derive("tree votes", problem_id, k))
            for problem_id, of_problem in readable.items()
        }
        accuracies = {
            reading: mean_of_shares([accuracy[reading] for accuracy in by_problem.values()])
            for reading in (*TREE_READINGS, COVERAGE)
        }
        points.append(TreePoint(k=k, tokens=tokens * k / number, accuracies=accuracies))
    curve = TreeCurve(trees=number, per_tree=rule.per_tree, top=rule.top, points=tuple(points))
    return curve, {
        reading: {problem_id: accuracy[reading] for problem_id, accuracy in by_problem.items()}
        for reading in (*TREE_READINGS, COVERAGE)
    }
