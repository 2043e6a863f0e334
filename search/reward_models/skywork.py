"""Skywork-o1-Open-PRM: a value head, ``v_head.summary``, whose output is read at the line break that ends each step.

Tokens are those of ``prepare_input`` in SkyworkAI/skywork-o1-prm-inference, model_utils/io_utils.py: BOS, the problem, then
line by line a text and its line break. The output is a logit there (``prm_model.py``: sigmoid gives the probability).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from search.data import State
from search.formats.base import Piece, StepFormat
from search.formats.chat_template import TOKENIZER_CONFIG, token_text
from search.reward_models.base import (
    KindEntry,
    ModelFacts,
    RenderedState,
    RewardAdapter,
    literal,
    solution_steps,
)
from search.reward_models.config import ReadingConfig
from search.reward_models.kinds import RewardModelKind
from search.serialization import read_json_object

TAG = "\n"
ARCHITECTURE = "Qwen2ForPrmModel"


@dataclass(frozen=True, kw_only=True)
class Skywork(RewardAdapter):
    """Every line of a step ends in the tag; the score of the step is that of its last line."""

    kind: RewardModelKind = RewardModelKind.SKYWORK
    step_format: StepFormat
    bos: str
    tags = (TAG,)
    value_head = ARCHITECTURE

    def render(self, state: State) -> RenderedState:
        question = state.problem.question
        pieces: list[Piece] = [(f"{self.bos}{question}\n", question)]
        for step in solution_steps(self.step_format, state):
            for line in step.split("\n"):
                pieces += [literal(line), TAG] if line else [TAG]
        return RenderedState(tuple(pieces))

    def to_logit(self, outputs: Sequence[float]) -> float:
        return outputs[0]


def _make(facts: ModelFacts, step_format: StepFormat, config: ReadingConfig) -> RewardAdapter:
    bos = token_text(read_json_object(facts.directory / TOKENIZER_CONFIG).get("bos_token"))
    return Skywork(step_format=step_format, bos=bos or "")


ENTRY = KindEntry(
    kind=RewardModelKind.SKYWORK,
    make=_make,
    needs=f"a {ARCHITECTURE}, with the weights v_head.summary",
    fits=lambda facts: facts.architecture == ARCHITECTURE,
    recognise=lambda facts: facts.architecture == ARCHITECTURE,
)
