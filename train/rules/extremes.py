"""Pair the best with the worst solution of each problem, by any score."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from search.data import PreferencePair, Problem
from train.record_files import PAIRS
from train.rules.base import Harvest, training_set
from train.rules.solutions import ProblemSolutions, Solution

Score = Callable[[Problem, Solution], float | None]


def best_over_worst(collected: Sequence[ProblemSolutions], score: Score, score_name: str) -> Harvest:
    """Prefer the solution of highest score over that of lowest, one pair a problem.

    The first of equal scores counts. Ties are dropped. Solutions without a score take no part; a problem with fewer than
    two that have one gives no pair. ``score_name`` stands in the reason for no pair.
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
                chosen_q=highest,
                rejected_q=lowest,
            )
        )
    reason = (
        f"no problem has two solutions of different {score_name}: of {len(collected)} problems {tally['too_few_scored']} "
        f"have fewer than two solutions with a {score_name}, in {tally['ties']} all are equal"
    )
    return Harvest({PAIRS: training_set(pairs, reason)}, {**tally, "pairs": len(pairs)})
