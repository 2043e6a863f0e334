"""Implicit process rewards (arXiv 2412.01981): beta times the log-ratio of the model to the one that it was trained against.

q(solution so far) = beta * sum over its tokens of log(p / p_reference): the log-odds that it will be correct, for models
trained by cross-entropy (EurusPRM). The conversation is that of the model card of PRIME-RL/EurusPRM-Stage2: question,
then the steps with blank lines between them. The card reads inner steps one or two tokens after their end, because it
counts the end of the turn as a token of the step; here a step ends with its blank line.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from search.data import State
from search.errors import UserError
from search.formats.base import Piece, StepFormat
from search.formats.chat_template import ChatTemplate
from search.reward_models.base import (
    KindEntry,
    ModelFacts,
    Reading,
    RenderedState,
    RewardAdapter,
    is_finished,
    solution_steps,
)
from search.reward_models.chat import end_of_turn, render_prompt, require_template, user
from search.reward_models.config import ReadingConfig
from search.reward_models.kinds import RewardModelKind


@dataclass(frozen=True, kw_only=True)
class Implicit(RewardAdapter):
    """Question as the user's turn, the steps as the assistant's. A finished solution ends with the end of the turn.

    ``last_step_only``: only the tokens of the last step count.
    """

    kind: RewardModelKind = RewardModelKind.IMPLICIT
    step_format: StepFormat
    template: ChatTemplate
    reference: str | None
    beta: float
    last_step_only: bool
    reading = Reading.LIKELIHOOD

    def render(self, state: State) -> RenderedState:
        question, steps = state.problem.question, solution_steps(self.step_format, state)
        finished = is_finished(state)
        pieces: list[Piece] = [render_prompt(self.template, (user(question),), (question,))]
        for number, step in enumerate(steps, start=1):
            ends_turn = finished and number == len(steps)
            pieces.append((step if ends_turn else f"{step}\n\n", step))
        first = len(steps) if self.last_step_only else 1
        is_scored = [index >= first for index in range(len(pieces))]
        if finished:
            pieces.append(end_of_turn(self.template))
            is_scored.append(True)
        return RenderedState(tuple(pieces), tuple(is_scored))

    def to_logit(self, outputs: Sequence[float]) -> float:
        return self.beta * outputs[0]


def _make(facts: ModelFacts, step_format: StepFormat, config: ReadingConfig) -> RewardAdapter:
    if config.reference is None:
        raise UserError(
            f"{facts.directory}: a reward model of the kind {RewardModelKind.IMPLICIT} is compared with the model that it was "
            "trained against: name it in reward_model.reference"
        )
    return Implicit(
        step_format=step_format,
        template=require_template(facts, RewardModelKind.IMPLICIT),
        reference=config.reference,
        beta=config.beta,
        last_step_only=config.span == "step",
    )


ENTRY = KindEntry(
    kind=RewardModelKind.IMPLICIT,
    make=_make,
    needs="a ...ForCausalLM model with a chat template, and reward_model.reference",
    fits=lambda facts: facts.is_language_model,
    recognise=lambda facts: facts.is_language_model and facts.is_named("EurusPRM", "ImplicitPRM"),
)
