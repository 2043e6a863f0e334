"""SPIN (arXiv 2401.01335, section 4): prefer the reference solution over what the previous policy wrote."""

from __future__ import annotations

from train.record_files import PAIRS
from train.rules.base import POLICY, Harvest, HarvestRule, NoOptions, RuleInput, RuleInputs, training_set
from train.rules.solutions import Solution, collect_solutions, to_pair
from train.rules.writing import writer_of


def harvest(inputs: RuleInputs, options: NoOptions) -> Harvest:
    """Pair the reference with each different sample of its problem, correct or not (paper: one sample a problem).

    A sample that is the reference word for word teaches nothing and is counted (same_text). The two values of a pair say
    which side is the reference; they are no grades.
    """
    pairs, tally = [], {"problems": 0, "without_reference": 0, "same_text": 0}
    for solutions in collect_solutions(inputs.trees):
        tally["problems"] += 1
        reference = inputs.references.get(solutions.problem.id)
        if reference is None:
            tally["without_reference"] += 1
            continue
        gold = Solution(reference.steps)
        others = [solution for solution in solutions.solutions if solution.text != gold.text]
        tally["same_text"] += len(solutions.solutions) - len(others)
        pairs += [to_pair(solutions.problem, gold, other) for other in others]
    reason = (
        f"no sample differs from a reference solution: of {tally['problems']} problems {tally['without_reference']} have no "
        f"reference, {tally['same_text']} samples are their reference word for word"
    )
    return Harvest({PAIRS: training_set(pairs, reason)}, {**tally, "pairs": len(pairs)})


RULE = HarvestRule(
    name="spin",
    write=writer_of(harvest),
    files={POLICY: (PAIRS,)},
    needs=frozenset({RuleInput.REFERENCES}),
    bound=lambda options, trees: {PAIRS: sum(tree.solutions for tree in trees)},
)
