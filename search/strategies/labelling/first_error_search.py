"""The first error of a solution by binary search over its steps (OmegaPRM, arXiv 2406.06592, section 3.2)."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from search.data import LabelledSolution, State, StepLabels
from search.protocols import SearchStrategy
from search.strategies.entry import StrategyEntry
from search.strategies.labelling.monte_carlo_labels import PrefixCompletions, labelled_solution
from search.strategies.labelling.step_labelling import LabellingConfig, StepLabelling


class FirstErrorSearchConfig(LabellingConfig):
    """Options of the strategy "first_error_search"."""

    strategy: Literal["first_error_search"] = Field("first_error_search", description="which strategy grows the tree")


async def find_first_error(solution: State, completions: PrefixCompletions) -> LabelledSolution:
    """Label the steps up to and including the first error; a step is correct if any completion from it ends correct.

    All labels are 1 where the solution itself ends correct; there is none if the policy drew nothing. If every step
    before a correct one is correct, the place is the one that estimates of every step would give, after at most
    ceil(log2(steps)) estimates. Eight steps, incorrect from the fifth on, k = 8: estimates at 4 (correct), 6 and 5
    (incorrect), 24 completions.
    """
    steps = len(solution.steps)
    if not steps:
        return labelled_solution(StepLabels(solution.problem, ()), [])
    estimates = [await completions.estimate(solution, steps)]
    correct, incorrect = (steps, steps + 1) if estimates[0].share else (0, steps)  # last known correct, first incorrect
    while incorrect - correct > 1 and estimates[-1].share is not None:
        middle = (correct + incorrect) // 2
        estimates.append(await completions.estimate(solution, middle))
        correct, incorrect = (middle, incorrect) if estimates[-1].share else (correct, middle)
    signs = (1.0,) * correct + (-1.0,) * (incorrect <= steps)
    labels = () if estimates[-1].share is None else signs
    record = StepLabels(solution.problem, solution.steps, labels=labels)
    return labelled_solution(record, estimates)


def build(config: FirstErrorSearchConfig) -> SearchStrategy:
    return StepLabelling(config, find_first_error)


ENTRY = StrategyEntry(
    options=FirstErrorSearchConfig,
    build=build,
    bound=lambda config: config.bound(config.max_depth.bit_length()),
    describe=lambda config: config.describe(config.max_depth.bit_length()),
    needs_answers=True,
    has_independent_samples=True,
    chooses_answer=False,
    budget_option="solutions",
)
