"""Math-Shepherd's step labels (arXiv 2312.08935): of every step the share of its completions that end correct."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from search.concurrency import gather_or_cancel
from search.data import LabelledSolution, LabelScale, State, StepLabels
from search.protocols import SearchStrategy
from search.strategies.entry import StrategyEntry
from search.strategies.labelling.monte_carlo_labels import PrefixCompletions, labelled_solution
from search.strategies.labelling.step_labelling import LabellingConfig, StepLabelling


class MathShepherdConfig(LabellingConfig):
    """Options of the strategy "math_shepherd"."""

    strategy: Literal["math_shepherd"] = Field("math_shepherd", description="which strategy grows the tree")


async def label_every_step(solution: State, completions: PrefixCompletions) -> LabelledSolution:
    """Label all steps at once by the share of completions from each that end correct (soft estimation).

    The last step of a finished solution has its grade. A solution of 8 steps with k = 8 takes 7 * 8 = 56 completions.
    ``train.labels.first_error.hard`` makes the hard estimation of it: correct if any completion is. ``completions`` of the
    same seed are the same for ``find_first_error``.
    """
    lengths = range(1, len(solution.steps) + 1)
    estimates = await gather_or_cancel(completions.estimate(solution, length) for length in lengths)
    shares = tuple(estimate.share for estimate in estimates)
    return labelled_solution(
        StepLabels(solution.problem, solution.steps, labels=shares, scale=LabelScale.SHARE), estimates
    )


def build(config: MathShepherdConfig) -> SearchStrategy:
    return StepLabelling(config, label_every_step)


ENTRY = StrategyEntry(
    options=MathShepherdConfig,
    build=build,
    bound=lambda config: config.bound(config.max_depth),
    describe=lambda config: config.describe(config.max_depth),
    needs_answers=True,
    labelled=lambda config: config.solutions,
    chooses_answer=False,
    budget_option="solutions",
)
