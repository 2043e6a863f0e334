"""The first error of a solution by binary search over its steps (OmegaPRM, arXiv 2406.06592, section 3.2).

The tree search around it (section 3.3) is the strategy "omega_prm".
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Literal

from pydantic import Field

from search.data import LabelledSolution, State, StepLabels
from search.protocols import SearchStrategy
from search.strategies.entry import StrategyEntry
from search.strategies.labelling.monte_carlo_labels import Completions, PrefixCompletions, labelled_solution
from search.strategies.labelling.step_labelling import LabellingConfig, StepLabelling, halvings


class FirstErrorSearchConfig(LabellingConfig):
    """Options of the strategy "first_error_search"."""

    strategy: Literal["first_error_search"] = Field("first_error_search", description="which strategy grows the tree")


async def bisect_first_error(
    correct: int, incorrect: int, share_of: Callable[[int], Awaitable[float | None]]
) -> int | None:
    """Return the length of the prefix that ends with the first error, by binary search between two lengths.

    A prefix of ``correct`` steps still reaches the answer, one of ``incorrect`` steps does not. ``share_of`` estimates a
    prefix by the share of its completions that end correct; None, if nothing was drawn, ends the search with None. Eight
    steps, incorrect from the seventh on: estimates at 4, 6 and 7 (the example of figure 2b).
    """
    while incorrect - correct > 1:
        middle = (correct + incorrect) // 2
        share = await share_of(middle)
        if share is None:
            return None
        correct, incorrect = (middle, incorrect) if share else (correct, middle)
    return incorrect


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
    estimates: list[Completions] = []

    async def share_of(length: int) -> float | None:
        estimates.append(await completions.estimate(solution, length))
        return estimates[-1].share

    whole = await share_of(steps)
    bounds = (steps, steps + 1) if whole else (0, steps)
    error = None if whole is None else await bisect_first_error(*bounds, share_of)
    labels = () if error is None else (1.0,) * (error - 1) + (-1.0,) * (error <= steps)
    return labelled_solution(StepLabels(solution.problem, solution.steps, labels=labels), estimates)


def build(config: FirstErrorSearchConfig) -> SearchStrategy:
    return StepLabelling(config, find_first_error)


ENTRY = StrategyEntry(
    options=FirstErrorSearchConfig,
    build=build,
    bound=lambda config: config.bound(halvings(config.max_depth)),
    describe=lambda config: config.describe(halvings(config.max_depth)),
    needs_answers=True,
    labelled=lambda config: config.solutions,
    chooses_answer=False,
    budget_option="solutions",
)
