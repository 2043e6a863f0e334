"""What a round learns, and from what: the part of the config that makes one method another.

    method: {rule: irpo, policy: {objective: dpo_nll}}

Knows names and which of them fit together; train/rules/registry.py has what they stand for.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from train.rules import RulesConfig
from train.rules.registry import LEARNS_FROM, POLICY, REWARD, SOURCES, Source

POLICY_OBJECTIVES = ("sft", "dpo", "dpo_nll")
REWARD_OBJECTIVES = ("ppm", "prm", "orm", "q_regression", "dpo")


class Strict(BaseModel):
    """Unknown keys are refused, values never change."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class PolicyLesson(Strict):
    """How a round's policy comes about."""

    objective: Literal["sft", "dpo", "dpo_nll"] = Field("sft", description="what it is trained by")
    start: Literal["base", "previous"] | None = Field(
        None,
        description="model it starts from, which is also the reference of dpo and dpo_nll; default: sft base, else previous",
    )

    @property
    def begins(self) -> str:
        """Where training starts: "base" or "previous", the policy that searched."""
        return self.start or ("base" if self.objective == "sft" else "previous")


class RewardLesson(Strict):
    """How a round's reward model comes about; it goes by the role name "reward_model" whatever its objective."""

    objective: Literal["ppm", "prm", "orm", "q_regression", "dpo"] = Field(
        "ppm", description="what it is trained by; dpo: a language model whose likelihood judges (V-STaR)"
    )
    start: Literal["base", "policy"] = Field(
        "policy",
        description="model it starts from; policy: the round's new one (train_together: the one that searched)",
    )


class MethodConfig(Strict):
    """What is harvested from a round's trees, and which models learn from it."""

    rule: str = Field("rstar_math", description=f"what is taken from trees: {', '.join(SOURCES)}")
    take: RulesConfig = Field(
        RulesConfig(), description="how much is taken; rule rstar_math has the section harvest instead"
    )
    references: str | None = Field(
        None,
        description="spin, irpo: file of reference solutions, JSON lines of Trajectory; default: for spin the built-in "
        "curriculum's worked ones",
    )
    labels: str | None = Field(
        None,
        description="checked_labels: file of labels by people, in PRM800K's schema or from raystar label; default: the "
        "built-in curriculum's exact check of every step",
    )
    policy: PolicyLesson | None = Field(PolicyLesson(), description="how the policy learns; null: no new one")
    reward: RewardLesson | None = Field(RewardLesson(), description="how the reward model learns; null: no new one")

    @property
    def source(self) -> Source:
        return SOURCES[self.rule]

    def objective(self, policy: bool) -> str:
        """What the policy, or the reward model, is trained by; where the method trains none, what is usual."""
        if policy:
            return self.policy.objective if self.policy is not None else "sft"
        return self.reward.objective if self.reward is not None else "ppm"

    @field_validator("rule")
    @classmethod
    def _known_rule(cls, name: str) -> str:
        if name not in SOURCES:
            raise ValueError(f"one of {', '.join(SOURCES)} is known")
        return name

    @model_validator(mode="before")
    @classmethod
    def _no_lesson(cls, given: Any) -> Any:
        """A model that the rule has nothing for is not trained unless the config says so."""
        if not isinstance(given, dict) or given.get("rule") not in SOURCES:
            return given
        files = SOURCES[given["rule"]].files
        return {**{role: None for role in (POLICY, REWARD) if role not in files}, **given}

    @model_validator(mode="after")
    def _labels_are_wanted(self) -> MethodConfig:
        if self.labels is not None and "checked" not in self.source.needs:
            raise ValueError(f"labels are for rule 'checked_labels', not for {self.rule!r}")
        return self

    @model_validator(mode="after")
    def _objectives_fit(self) -> MethodConfig:
        for role, lesson, known in (
            (POLICY, self.policy, POLICY_OBJECTIVES),
            (REWARD, self.reward, REWARD_OBJECTIVES),
        ):
            fitting = self.source.fitting(role, known)
            if lesson is not None and lesson.objective not in fitting:
                files = ", ".join(self.source.files.get(role, ())) or "nothing"
                raise ValueError(
                    f"{role}.objective {lesson.objective!r} learns from {LEARNS_FROM[lesson.objective]}, and rule "
                    f"{self.rule!r} writes {files} for that model: "
                    + (f"one of {', '.join(fitting)} fits" if fitting else f"{role}: null fits")
                )
        return self
