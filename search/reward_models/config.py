"""Options of how a reward model is read, beyond its kind."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from search.config import StrictConfig


class JudgeConfig(StrictConfig):
    """A language model that is asked for marks (kind ``judge``)."""

    scope: Literal["step", "solution"] = Field(
        "step", description="what a mark is for: the last step given those before it, or the whole solution so far"
    )
    samples: int = Field(4, ge=1, description="judgements drawn; their marks are averaged")
    temperature: float = Field(0.7, ge=0, description="of the judgements; at 0 they are all the same")
    max_tokens: int = Field(512, ge=8, description="longest judgement (tokens)")
    prompt: str | None = Field(
        None,
        description="text file with {question}, {solution} and {number} (of the last step) that asks for a line "
        "'Score: <0 to 10>'; default: built in, by scope",
    )


class ReadingConfig(StrictConfig):
    """What the kind of a reward model leaves open."""

    reference: str | None = Field(
        None, description="kind implicit: the model that it was trained against, a directory or Hugging Face name"
    )
    beta: float = Field(
        0.001, gt=0, description="kind implicit: factor of the log-ratio, as in training (EurusPRM: 0.001)"
    )
    span: Literal["solution", "step"] = Field(
        "solution", description="kind implicit: sum the log-ratio over the whole solution so far, or over its last step"
    )
    neutral: Literal["correct", "incorrect"] = Field(
        "correct",
        description="kind prm: what a neutral step counts as in a score (Let's Verify Step by Step, table 4, by product and "
        "minimum: correct 78.2 and 77.6, incorrect 77.4 and 77.8 %)",
    )
    judge: JudgeConfig = Field(JudgeConfig(), description="kind judge: how marks are asked for")
