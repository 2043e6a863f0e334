"""STaR (arXiv 2203.14465): right solutions are imitated; what failed is tried again with the answer given away.

Knows the rule and the hint. Two searches draw the samples: one of the bare problems, one of ``hinted`` ones. The model
that learns is the original one, not the one that drew: that is for the rounds to see to.
"""

from __future__ import annotations

from dataclasses import replace

from search.data import Problem
from search.prompts import hint
from train.rules.base import POLICY, Harvest, RuleInputs, lesson
from train.rules.config import RulesConfig
from train.rules.solutions import attempts, imitated, no_right, sorts


def hinted(problem: Problem) -> Problem:
    """The problem with its reference answer in the question, for rationalisation: never for a search that is measured."""
    return replace(problem, question=hint(problem.question, problem.answer))


def star(material: RuleInputs, config: RulesConfig) -> Harvest:
    """The right solutions of each problem; of one that has none, those that were right with the hint.

    A rationalised solution is kept as one of the bare question, as if nobody had given the answer (section 3.2).
    """
    every = attempts(material.trees)
    helped = {own.problem.id: own.right for own in attempts(material.hinted)}
    own_right = [imitated(own.problem, found) for own in every for found in own.right[: config.solutions]]
    rationalised = [
        imitated(own.problem, found)
        for own in every
        if not own.right
        for found in helped.get(own.problem.id, ())[: config.solutions]
    ]
    counts = sorts(every)
    tally = {
        **counts,
        "trajectories": len(own_right) + len(rationalised),
        "rationalised": len(rationalised),
        "hinted_problems": len(helped),
    }
    reason = f"{no_right(counts)}, and none of {len(helped)} hinted problems was solved that failed before"
    return Harvest({POLICY: lesson([*own_right, *rationalised], reason)}, tally)
