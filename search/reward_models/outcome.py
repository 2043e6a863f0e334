"""Outcome reward models: one output at the end of the whole conversation in the model's chat template.

Trained on preferences, as Skywork-Reward: sigmoid of a difference of outputs is the probability of the preference (Bradley
and Terry), so an output counts as log-odds. Qwen2.5-Math-RM is read so too; its head is not a sequence classifier's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from search.data import State
from search.formats.base import StepFormat
from search.formats.chat_template import ChatTemplate
from search.reward_models.base import (
    KindEntry,
    ModelFacts,
    Reading,
    RenderedState,
    RewardAdapter,
    solution_steps,
)
from search.reward_models.chat import conversation, render_whole, require_template
from search.reward_models.config import ReadingConfig
from search.reward_models.kinds import RewardModelKind

TOKEN_HEAD = "Qwen2ForRewardModel"  # Qwen2.5-Math-RM


@dataclass(frozen=True, kw_only=True)
class Outcome(RewardAdapter):
    """User: question; assistant: the solution so far, as if it had ended."""

    kind: RewardModelKind = RewardModelKind.OUTCOME
    step_format: StepFormat
    template: ChatTemplate
    skips_padding: ClassVar[bool] = True

    def render(self, state: State) -> RenderedState:
        question, steps = state.problem.question, solution_steps(self.step_format, state)
        messages = conversation(question, "\n\n".join(steps))
        return RenderedState((render_whole(self.template, messages, (question, *steps)),))

    def to_logit(self, outputs: Sequence[float]) -> float:
        return outputs[0]


@dataclass(frozen=True, kw_only=True)
class TokenHeadOutcome(Outcome):
    """The same for a head that vLLM applies to every token."""

    reading: ClassVar[Reading] = Reading.TOKEN_CLASSIFY
    skips_padding: ClassVar[bool] = False


def _make(facts: ModelFacts, step_format: StepFormat, config: ReadingConfig) -> RewardAdapter:
    adapter = TokenHeadOutcome if facts.architecture == TOKEN_HEAD else Outcome
    return adapter(step_format=step_format, template=require_template(facts, RewardModelKind.OUTCOME))


ENTRY = KindEntry(
    kind=RewardModelKind.OUTCOME,
    make=_make,
    needs=f"a ...ForSequenceClassification model with one output, or a {TOKEN_HEAD}, with a chat template",
    fits=lambda facts: facts.architecture == TOKEN_HEAD or (facts.is_classifier and len(facts.labels) == 1),
    recognise=lambda facts: (
        facts.architecture == TOKEN_HEAD
        or (facts.is_classifier and len(facts.labels) == 1 and facts.is_named("Skywork-Reward"))
    ),
)
