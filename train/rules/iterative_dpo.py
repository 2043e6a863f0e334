"""Iterative DPO: pair the best with the worst solution by a reward model that stays the same over the rounds.

The search scores the samples. That no round trains the reward model anew is up to the config.
"""

from __future__ import annotations

from train.record_files import PAIRS
from train.rules.base import POLICY, Harvest, HarvestRule, NoOptions, RuleInputs
from train.rules.best_over_worst import best_over_worst
from train.rules.solutions import collect_solutions
from train.rules.writing import writer_of


def harvest(inputs: RuleInputs, options: NoOptions) -> Harvest:
    """Make one pair a problem from the rewards of the solutions' last steps.

    Solutions are ranked by logit, so that large ones do not tie. Grades do not count. Ends without an answer have no
    reward.
    """
    return best_over_worst(
        collect_solutions(inputs.trees),
        lambda _, solution: solution.logit,
        "reward",
        lambda solution, logit: solution.score or 0.0,
    )


RULE = HarvestRule(
    name="iterative_dpo",
    write=writer_of(harvest),
    files={POLICY: (PAIRS,)},
    needs_scores=True,
    bound=lambda options, trees: {PAIRS: 1},
)
