"""Make the preference pairs of a tree, for the process preference model."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from statistics import fmean

from search.data import PreferencePair
from train.rules.rstar_math.answer_pairs import answer_sides
from train.rules.rstar_math.options import RStarMathOptions
from train.rules.rstar_math.pair_filter import passes_filter
from train.rules.rstar_math.step_pairs import continuation_mean, step_sides
from train.rules.rstar_math.valued_tree import ValuedTree


@dataclass(slots=True)
class TreePairs:
    """Pairs of a tree by kind, and the number of pairs that the filter left out."""

    step: list[PreferencePair] = field(default_factory=list)
    answer: list[PreferencePair] = field(default_factory=list)
    filtered: int = 0


def preference_pairs(valued: ValuedTree, options: RStarMathOptions) -> TreePairs:
    """Return the step pairs and answer pairs of a tree; none if its ends are all correct or all incorrect."""
    pairs = TreePairs()
    if not valued.is_mixed:
        return pairs
    for a, b, pair in _step_pairs(valued, options):
        if passes_filter(pair, options) and _passes_chains(valued, a, b, options):
            pairs.step.append(pair)
        else:
            pairs.filtered += 1
    for pair in _answer_pairs(valued, options) if options.answer_pairs else ():
        if passes_filter(pair, options):
            pairs.answer.append(pair)
        else:
            pairs.filtered += 1
    return pairs


def _passes_chains(valued: ValuedTree, preferred: int, rejected: int, options: RStarMathOptions) -> bool:
    if not options.compare_chains:
        return True
    return continuation_mean(valued, preferred, best=True) > continuation_mean(valued, rejected, best=False)


def _step_pairs(valued: ValuedTree, options: RStarMathOptions) -> Iterator[tuple[int, int, PreferencePair]]:
    """Yield every pair of siblings of which the preferred one has the higher Q, with their nodes."""
    tree, q = valued.tree, valued.q
    for parent in range(len(tree.nodes)):
        sides = step_sides(valued, parent, options)
        for a, b in sides.pairs():
            if q[a] > q[b]:
                yield (
                    a,
                    b,
                    PreferencePair(
                        problem=tree.problem,
                        prefix=tree.steps(parent),
                        chosen=tree.steps(a)[-1:],
                        rejected=tree.steps(b)[-1:],
                        chosen_q=q[a],
                        rejected_q=q[b],
                        weight=sides.pair_weight(options),
                    ),
                )


def _answer_pairs(valued: ValuedTree, options: RStarMathOptions) -> Iterator[PreferencePair]:
    """Yield every pair of solutions with different prefixes of which the preferred one has the higher mean Q."""
    tree = valued.tree
    sides = answer_sides(valued, options)
    for a, b in sides.pairs():
        pair = PreferencePair(
            problem=tree.problem,
            prefix=(),
            chosen=tree.steps(a),
            rejected=tree.steps(b),
            chosen_q=fmean(valued.solution_values(a)),
            rejected_q=fmean(valued.solution_values(b)),
            weight=sides.pair_weight(options),
        )
        if pair.chosen_q > pair.rejected_q and pair.chosen[:-1] != pair.rejected[:-1]:
            yield pair
