"""Pair the solutions of highest and lowest score of each problem, for DPO."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from search.data import PreferencePair, Problem
from train.record_files import PAIRS
from train.rules.base import Harvest, training_set
from train.rules.solutions import ProblemSolutions, Solution

Score = Callable[[Problem, Solution], float | None]
Value = Callable[[Solution, float], float]


def best_over_worst(
    collected: Sequence[ProblemSolutions],
    score: Score,
    score_name: str,
    value_of: Value = lambda solution, score: score,
) -> Harvest:
    """Return pairs that prefer the solution of highest score over the one of lowest score, one pair a problem.

    Of equal scores the first solution is taken. A problem gives no pair if all its scores are equal (ties), or if fewer
    than two of its solutions have a score (too_few_scored).

    Args:
        score: the score of a solution; None leaves the solution out (unscored).
        score_name: names the score in the error message where no problem gives a pair.
        value_of: the value that the pair stores of a solution and its score, by default the score itself.
    """
    pairs, tally = [], {"problems": len(collected), "unscored": 0, "too_few_scored": 0, "ties": 0}
    for solutions in collected:
        scored = [
            (value, solution)
            for solution in solutions.solutions
            if (value := score(solutions.problem, solution)) is not None
        ]
        tally["unscored"] += len(solutions.solutions) - len(scored)
        if len(scored) < 2:
            tally["too_few_scored"] += 1
            continue
        (highest, best), (lowest, worst) = max(scored, key=lambda pair: pair[0]), min(scored, key=lambda pair: pair[0])
        if highest == lowest:
            tally["ties"] += 1
            continue
        pairs.append(
            PreferencePair(
                problem=solutions.problem,
                prefix=(),
                chosen=best.steps,
                rejected=worst.steps,
                chosen_q=value_of(best, highest),
                rejected_q=value_of(worst, lowest),
            )
        )
    reason = (
        f"no problem has two solutions of different {score_name}: of {len(collected)} problems {tally['too_few_scored']} "
        f"have fewer than two solutions with a {score_name}, in {tally['ties']} all are equal"
    )
    return Harvest({PAIRS: training_set(pairs, reason)}, {**tally, "pairs": len(pairs)})
