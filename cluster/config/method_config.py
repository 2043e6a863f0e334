"""Options of a method: which records are harvested from trees, and which models are trained on them.

method: {rule: irpo, policy: {objective: dpo_nll}}
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, ValidationInfo, field_validator, model_validator

from search.config import StrictConfig
from train.objectives import OBJECTIVES, POLICY_OBJECTIVES, REWARD_MODEL_OBJECTIVES
from train.rules.base import POLICY, REWARD_MODEL, HarvestRule, NoOptions, RuleInput
from train.rules.registry import DEFAULT_RULE, HARVEST_RULES, AnyRuleOptions, rule_options, rules_that_need


def _name_in(names: Sequence[str]) -> AfterValidator:
    """Return a validator that refuses a name that is not one of ``names``."""

    def check(name: str) -> str:
        if name not in names:
            raise ValueError(f"one of {', '.join(names)} is known")
        return name

    return AfterValidator(check)


class PolicyTrainingConfig(StrictConfig):
    """Training of a round's policy."""

    objective: Annotated[str, _name_in(POLICY_OBJECTIVES)] = Field(
        "sft", description=f"what it is trained by: {', '.join(POLICY_OBJECTIVES)}"
    )
    start: Literal["base", "previous"] | None = Field(
        None,
        description="model it starts from, which is also the reference of dpo and dpo_nll; default: sft base, else previous",
    )

    @property
    def begins(self) -> str:
        """Return the model that training starts from: "base" or "previous", the policy that searched."""
        return self.start or ("previous" if OBJECTIVES[self.objective].samples.needs_reference else "base")


class RewardModelTrainingConfig(StrictConfig):
    """Training of a round's reward model. Its role is "reward_model" whatever its objective."""

    objective: Annotated[str, _name_in(REWARD_MODEL_OBJECTIVES)] = Field(
        "ppm",
        description=f"what it is trained by: {', '.join(REWARD_MODEL_OBJECTIVES)}; "
        "dpo: a language model whose likelihood is the score (V-STaR)",
    )
    start: Literal["base", "policy", "sft"] = Field(
        "policy",
        description="model it starts from, which is also the reference of dpo; policy: the round's new one (train_together: "
        "the one that searched); sft: the first policy that a round of the run trained by sft (V-STaR)",
    )


class MethodConfig(StrictConfig):
    """Harvest and training of a round."""

    rule: Annotated[str, _name_in(tuple(HARVEST_RULES))] = Field(
        DEFAULT_RULE, description=f"harvest rule: {', '.join(HARVEST_RULES)}"
    )
    options: AnyRuleOptions = Field(None, validate_default=True, description="options of the rule; default: its own")
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
    labelled_solutions: int | None = Field(
        None, ge=1, description="solutions in the file of labels, for a dry run that has it not at hand"
    )
    policy: PolicyTrainingConfig | None = Field(
        PolicyTrainingConfig(), description="how the policy learns; null: no new one"
    )
    reward_model: RewardModelTrainingConfig | None = Field(
        RewardModelTrainingConfig(), description="how the reward model learns; null: no new one"
    )

    @property
    def harvest_rule(self) -> HarvestRule:
        return HARVEST_RULES[self.rule]

    def objective(self, policy: bool) -> str:
        """Return the objective of the policy or of the reward model; the default one if the method trains none."""
        if policy:
            return (self.policy or PolicyTrainingConfig()).objective
        return (self.reward_model or RewardModelTrainingConfig()).objective

    @field_validator("options", mode="before")
    @classmethod
    def _options_of_rule(cls, values: Any, info: ValidationInfo) -> Any:
        rule = info.data.get("rule")
        if rule is None:  # refused already
            return NoOptions()
        return rule_options(rule, values)

    @model_validator(mode="before")
    @classmethod
    def _train_only_what_has_records(cls, values: Any) -> Any:
        """Train no model that the rule writes no records for, unless the config says so."""
        rule = values.get("rule") if isinstance(values, dict) else None
        if not isinstance(rule, str) or rule not in HARVEST_RULES:
            return values
        files = HARVEST_RULES[rule].files
        return {**{role: None for role in (POLICY, REWARD_MODEL) if role not in files}, **values}

    @model_validator(mode="after")
    def _labels_fit_the_rule(self) -> MethodConfig:
        if self.labels is not None and RuleInput.CHECKED_LABELS not in self.harvest_rule.needs:
            rules = ", ".join(repr(name) for name in rules_that_need(RuleInput.CHECKED_LABELS))
            raise ValueError(f"labels are for rule {rules}, not for {self.rule!r}")
        return self

    @model_validator(mode="after")
    def _start_is_trained(self) -> MethodConfig:
        wants_sft = self.reward_model is not None and self.reward_model.start == "sft"
        if wants_sft and (self.policy is None or self.policy.objective != "sft"):
            raise ValueError("reward_model.start 'sft' needs a policy that is trained by it: policy: {objective: sft}")
        return self

    @model_validator(mode="after")
    def _objectives_fit_the_rule(self) -> MethodConfig:
        for role, training in ((POLICY, self.policy), (REWARD_MODEL, self.reward_model)):
            fitting = self.harvest_rule.objectives(role)
            if training is not None and training.objective not in fitting:
                files = ", ".join(self.harvest_rule.files.get(role, ())) or "nothing"
                raise ValueError(
                    f"{role}.objective {training.objective!r} learns from {OBJECTIVES[training.objective].records}, and rule "
                    f"{self.rule!r} writes {files} for that model: "
                    + (f"one of {', '.join(fitting)} fits" if fitting else f"{role}: null fits")
                )
        return self
