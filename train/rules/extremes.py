"""Best over worst: one pair a problem from any score of its solutions. Knows scores, not who gave them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from search.data import PreferencePair
from train.rules.base import POLICY, Harvest, lesson
from train.rules.solutions import Attempts, Solution

Score = Callable[[Attempts, Solution], float | None]


def best_over_worst(every: Sequence[Attempts], score: Score, what: str) -> Harvest:
    """Of each problem the solution of highest score over that of lowest, the first of equals; ties are dropped.

    Solutions without a score take no part; a problem with fewer than two that have one gives no pair. ``what`` names
    the score in the reason for nothing.
    """
    pairs, tally = [], {"problems": len(every), "unscored": 0, "single": 0, "ties": 0}
    for own in every:
        scored = [(value, found) for found in own.solutions if (value := score(own, found)) is not None]
        tally["unscored"] += len(own.solutions) - len(scored)
        if len(scored) < 2:
            tally["single"] += 1
            continue
        best, worst = max(scored, key=lambda pair: pair[0]), min(scored, key=lambda pair: pair[0])
        if best[0] == worst[0]:
            tally["ties"] += 1
            continue
        pairs.append(PreferencePair(own.problem, (), best[1].steps, worst[1].steps, best[0], worst[0]))
    reason = (
        f"no problem has two solutions of different {what}: of {len(every)} problems {tally['single']} have fewer than "
        f"two solutions with a {what}, in {tally['ties']} all are equal"
    )
    return Harvest({POLICY: lesson(pairs, reason)}, {**tally, "pairs": len(pairs)})
