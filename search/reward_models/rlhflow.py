"""RLHFlow's process reward models: a chat in which the user gives a step a turn and the assistant answers + or -.

Conversation and tokens are those of RLHFlow/RLHF-Reward-Modeling, math-rm/prm_evaluate.py, for
RLHFlow/Llama3.1-8B-PRM-Deepseek-Data and Llama3.1-8B-PRM-Mistral-Data.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from search.data import Aggregation, State
from search.formats.base import StepFormat
from search.formats.chat_template import ChatTemplate, Message
from search.reward_models.base import (
    KindEntry,
    ModelFacts,
    Reading,
    RenderedState,
    RewardAdapter,
    solution_steps,
)
from search.reward_models.chat import assistant, require_template, user
from search.reward_models.config import ReadingConfig
from search.reward_models.kinds import RewardModelKind

GOOD, BAD = "+", "-"


@dataclass(frozen=True, kw_only=True)
class RlhFlow(RewardAdapter):
    """User: question and first step; assistant: +; user: second step; and so on up to where the last answer begins."""

    kind: RewardModelKind = RewardModelKind.RLHFLOW
    step_format: StepFormat
    template: ChatTemplate
    reading = Reading.NEXT_TOKEN
    tags = answers = (GOOD, BAD)

    def render(self, state: State) -> RenderedState:
        question = state.problem.question
        steps = solution_steps(self.step_format, state) or ("",)
        turns = (f"{question} {steps[0]}".strip(), *steps[1:])
        messages: list[Message] = []
        for turn in turns:
            messages += [user(turn), assistant(GOOD)]
        text = self.template.render(messages, add_generation_prompt=False)
        return RenderedState(((text[: text.rindex(GOOD)], question, *filter(None, steps)),))

    def to_logit(self, outputs: Sequence[float]) -> float:
        good, bad = outputs
        return good - bad


def _make(facts: ModelFacts, step_format: StepFormat, config: ReadingConfig) -> RewardAdapter:
    return RlhFlow(step_format=step_format, template=require_template(facts, RewardModelKind.RLHFLOW))


ENTRY = KindEntry(
    kind=RewardModelKind.RLHFLOW,
    make=_make,
    needs="a ...ForCausalLM model",
    fits=lambda facts: facts.is_language_model,
    recognise=lambda facts: (
        facts.is_language_model and facts.is_named("Llama3.1-8B-PRM-Deepseek-Data", "Llama3.1-8B-PRM-Mistral-Data")
    ),
    aggregation=Aggregation.MEAN,
)
