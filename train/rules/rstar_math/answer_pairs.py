"""Choose whole solutions to pair: at the last step rStar-Math compares trajectories, not siblings (section 3.3)."""

from __future__ import annotations

from train.rules.rstar_math.options import RStarMathOptions
from train.rules.rstar_math.valued_tree import Sides, ValuedTree, rank_solution


def answer_sides(valued: ValuedTree, options: RStarMathOptions) -> Sides:
    """Choose the ends of the best correct solutions and of the worst incorrect ones.

    Best and worst by mean Q; equal ones by their lowest Q (``rank_solution``).
    """
    ends = [index for index, node in enumerate(valued.tree.nodes) if node.is_terminal]
    ranks = {end: rank_solution(valued.solution_values(end), options) for end in ends}
    better = sorted((end for end in ends if valued.correct[end]), key=ranks.__getitem__, reverse=True)
    worse = sorted((end for end in ends if valued.incorrect[end]), key=ranks.__getitem__)
    return Sides(better[: options.max_preferred], worse[: options.max_rejected])
