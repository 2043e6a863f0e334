"""Choose sibling steps to pair: the best that lead to a correct answer, the worst that lead to an incorrect one.

rStar-Math, section 3.3: with the same prefix the two steps of highest Q that lead to a correct answer, and the two of lowest
Q that lead to an incorrect one. The released code (extra_rm_file.py, ``search_all_traces``) pairs the only candidate of a side
with up to four of the other, and compares what follows both steps (``continuation_mean``).
"""

from __future__ import annotations

from statistics import fmean

from train.rules.rstar_math.options import RStarMathOptions
from train.rules.rstar_math.valued_tree import Sides, ValuedTree


def step_sides(valued: ValuedTree, parent: int, options: RStarMathOptions) -> Sides:
    """Choose children of highest Q that lead to a correct end, and of lowest Q that lead to an incorrect one.

    A child may stand on both sides. With ``max_partners`` 4, one preferred candidate and five rejected ones give 1 x 4 sides
    in place of 1 x 2.
    """
    q, siblings = valued.q, valued.siblings(parent)
    better = sorted((child for child in siblings if valued.correct[child]), key=lambda child: -q[child])
    worse = sorted((child for child in siblings if valued.incorrect[child]), key=lambda child: q[child])
    preferred, rejected = better[: options.max_preferred], worse[: options.max_rejected]
    if options.max_partners is not None and len(preferred) == 1:
        rejected = worse[: options.max_partners]
    if options.max_partners is not None and len(rejected) == 1:
        preferred = better[: options.max_partners]
    return Sides(preferred, rejected)


def continuation_mean(valued: ValuedTree, index: int, *, best: bool) -> float:
    """Return the mean Q of a node and of the nodes that follow it, one a depth, down to an end.

    ``best``: each is the child of highest Q that leads to a correct end; otherwise the child of lowest Q that leads to an
    incorrect one (extra_rm_file.py, ``build_partial_solution``). Of equal Q the first child is taken. Q 0.6, then the better
    of 0.2 and 1.0: (0.6 + 1.0) / 2 = 0.8.
    """
    leads = valued.correct if best else valued.incorrect
    choose = max if best else min
    values = [valued.q[index]]
    while following := [child for child in valued.siblings(index) if leads[child]]:
        index = choose(following, key=lambda child: valued.q[child])
        values.append(valued.q[index])
    return fmean(values)
