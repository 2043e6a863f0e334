"""Qwen2.5-Math-PRM (arXiv 2501.07301): two classes, incorrect and correct, at ``<extra_0>`` after each step.

Prompt and reading are those of the model cards of Qwen/Qwen2.5-Math-PRM-7B and Qwen2.5-Math-7B-PRM800K. vLLM's own class
takes the tag to be token 151651 and gives its outputs only there; here it gives them at all tokens, the last one is read,
and the tag is whatever the model's tokenizer makes of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from search.data import Aggregation, State
from search.formats.base import Piece, StepFormat
from search.formats.chat_template import ChatTemplate
from search.reward_models.base import (
    KindEntry,
    ModelFacts,
    Reading,
    RenderedState,
    RewardAdapter,
    literal,
    solution_steps,
)
from search.reward_models.chat import render_prompt, require_template, user
from search.reward_models.config import ReadingConfig
from search.reward_models.kinds import RewardModelKind
from search.reward_models.log_odds import class_log_odds

SYSTEM = "Please reason step by step, and put your final answer within \\boxed{}."
TAG = "<extra_0>"
CORRECT = 1  # index of the class
ARCHITECTURE = "Qwen2ForProcessRewardModel"


@dataclass(frozen=True, kw_only=True)
class QwenPrm(RewardAdapter):
    """System text, question, then the steps as the assistant's turn, each followed by the tag."""

    kind: RewardModelKind = RewardModelKind.QWEN_PRM
    step_format: StepFormat
    template: ChatTemplate
    reading = Reading.TOKEN_CLASSIFY
    tags = (TAG,)
    engine_options: ClassVar[Mapping[str, Any]] = {"pooler_config": {"tok_pooling_type": "ALL"}}

    def render(self, state: State) -> RenderedState:
        question = state.problem.question
        messages = ({"role": "system", "content": SYSTEM}, user(question))
        pieces: list[Piece] = [render_prompt(self.template, messages, (question,))]
        for step in solution_steps(self.step_format, state):
            pieces += [literal(step), TAG]
        return RenderedState(tuple(pieces))

    def to_logit(self, outputs: Sequence[float]) -> float:
        return class_log_odds(outputs, (CORRECT,))


def _make(facts: ModelFacts, step_format: StepFormat, config: ReadingConfig) -> RewardAdapter:
    return QwenPrm(step_format=step_format, template=require_template(facts, RewardModelKind.QWEN_PRM))


ENTRY = KindEntry(
    kind=RewardModelKind.QWEN_PRM,
    make=_make,
    needs=f"a {ARCHITECTURE}",
    fits=lambda facts: facts.architecture == ARCHITECTURE,
    recognise=lambda facts: facts.architecture == ARCHITECTURE,
    aggregation=Aggregation.PRODUCT,  # the paper's, for best-of-N
)
