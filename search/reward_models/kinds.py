"""Names of the kinds of reward models."""

from __future__ import annotations

from enum import StrEnum


class RewardModelKind(StrEnum):
    """How a reward model is read. The first five are trained by this project."""

    PPM = "ppm"  # ranks steps (rStar-Math)
    Q_REGRESSION = "q_regression"  # predicts the Q-value of a step
    ORM = "orm"  # predicts whether the solution will be correct
    DPO = "dpo"  # gives correct solutions a higher likelihood: a language model, not a classifier (V-STaR)
    PRM = "prm"  # classifies a step as correct, neutral or incorrect (Let's Verify Step by Step)
    QWEN_PRM = "qwen_prm"  # Qwen2.5-Math-PRM: two classes at <extra_0> after each step
    MATH_SHEPHERD = "math_shepherd"  # the tokens + and - after ки, which ends each step
    RLHFLOW = "rlhflow"  # a chat in which the assistant answers + or - to each step
    SKYWORK = "skywork"  # Skywork-o1-Open-PRM: a value head at the line break that ends a step
    IMPLICIT = "implicit"  # EurusPRM: the log-ratio to a reference model
    CLASSIFIER = "classifier"  # a sequence classifier of whole solutions with one to three labels
    OUTCOME = "outcome"  # a preference reward model: the conversation's one output
    JUDGE = "judge"  # any language model, asked for marks
