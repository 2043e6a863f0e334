"""SPIN (arXiv 2401.01335, section 4): the reference solution over what the previous model wrote. Knows the rule only."""

from __future__ import annotations

from search.core.values import RIGHT, WORST
from search.data import PreferencePair
from train.rules.base import POLICY, Harvest, RuleInputs, lesson
from train.rules.config import RulesConfig
from train.rules.solutions import attempts, text_of


def spin(material: RuleInputs, config: RulesConfig) -> Harvest:
    """The reference over each different sample of its problem, right or not; paper: one sample a problem.

    A sample that is the reference word for word teaches nothing (same_text). The two values of a pair say which side is
    the reference, no grade.
    """
    pairs, tally = [], {"problems": 0, "without_reference": 0, "same_text": 0}
    for own in attempts(material.trees):
        tally["problems"] += 1
        reference = material.references.get(own.problem.id)
        if reference is None:
            tally["without_reference"] += 1
            continue
        others = [found for found in own.solutions if found.text != text_of(reference.steps)]
        tally["same_text"] += len(own.solutions) - len(others)
        pairs += [PreferencePair(own.problem, (), reference.steps, other.steps, RIGHT, WORST) for other in others]
    reason = (
        f"no sample differs from a reference solution: of {tally['problems']} problems {tally['without_reference']} have no "
        f"reference, {tally['same_text']} samples are their reference word for word"
    )
    return Harvest({POLICY: lesson(pairs, reason)}, {**tally, "pairs": len(pairs)})
