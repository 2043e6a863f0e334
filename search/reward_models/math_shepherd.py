"""Math-Shepherd (arXiv 2312.08935): a language model that writes ``+`` or ``-`` after ``ки``, which ends each step.

Text and tokens are those of the model card of peiyi9979/math-shepherd-mistral-7b-prm.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from search.data import Aggregation, State
from search.formats.base import Piece, StepFormat
from search.reward_models.base import (
    KindEntry,
    ModelFacts,
    Reading,
    RenderedState,
    RewardAdapter,
    literal,
    solution_steps,
)
from search.reward_models.config import ReadingConfig
from search.reward_models.kinds import RewardModelKind

TAG, GOOD, BAD = " ки", " +", " -"
NUMBERED = re.compile(r"Step \d+:")


@dataclass(frozen=True, kw_only=True)
class MathShepherd(RewardAdapter):
    """``question Step 1: … ки``, a line a step, without a chat template."""

    kind: RewardModelKind = RewardModelKind.MATH_SHEPHERD
    step_format: StepFormat
    reading = Reading.NEXT_TOKEN
    tags = (TAG, GOOD, BAD)
    answers = (GOOD, BAD)

    def render(self, state: State) -> RenderedState:
        pieces: list[Piece] = [literal(state.problem.question)]
        for number, step in enumerate(solution_steps(self.step_format, state), start=1):
            label = "" if NUMBERED.match(step) else f"Step {number}: "
            pieces += [(f"{' ' if number == 1 else chr(10)}{label}{step}", step), TAG]
        return RenderedState(tuple(pieces))

    def to_logit(self, outputs: Sequence[float]) -> float:
        good, bad = outputs
        return good - bad


def _make(facts: ModelFacts, step_format: StepFormat, config: ReadingConfig) -> RewardAdapter:
    return MathShepherd(step_format=step_format)


ENTRY = KindEntry(
    kind=RewardModelKind.MATH_SHEPHERD,
    make=_make,
    needs="a ...ForCausalLM model",
    fits=lambda facts: facts.is_language_model,
    recognise=lambda facts: facts.is_language_model and facts.is_named("math-shepherd", "math_shepherd"),
    aggregation=Aggregation.MIN,  # section 3.4
)
