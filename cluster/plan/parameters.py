"""Count the parameters of a run's models: from the files of one that is at hand, else from the size that is declared."""

from __future__ import annotations

from dataclasses import dataclass, replace

from actors.engines.arguments import saved_quantization
from cluster.config.run_config import RunConfig
from cluster.models.directory import saved_weights
from cluster.models.resolve import ResolvedModel
from cluster.models.size import ModelSize
from cluster.run.model_fields import (
    POLICY_PATH,
    ROLES_OF_THE_RUN,
    SECOND_POLICY,
    SERVED_REWARD_MODELS,
    RunModels,
    declared_size,
    further_path,
)
from train.config import BasePolicySize


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelParameters:
    """Numbers of parameters of a run's models: None where one is not known, 0 where there is no such model.

    ``further``: of the policies that draw beside the first in strategies that choose among several.
    """

    policy: int | None
    second_policy: int | None = 0
    reward_model: int | None = 0
    further: tuple[int | None, ...] = ()

    def largest_policy(self) -> int | None:
        """Return the parameters of the largest policy that draws; None where those of one are not known."""
        policies = [parameters for parameters in (self.policy, *self.further) if parameters is not None]
        return max(policies) if len(policies) == 1 + len(self.further) else None

    def with_trained_reward_model(self) -> ModelParameters:
        """Return the parameters after a round has trained a reward model, which has the size of the policy."""
        return replace(self, reward_model=self.policy)


def model_parameters(config: RunConfig, models: RunModels) -> ModelParameters:
    """Return the parameters of the models that a command works with."""
    named = {*models.resolved, *models.missing}
    policy = _policy_parameters(config, models, "--policy" if "--policy" in named else POLICY_PATH)
    if config.second_policy in ROLES_OF_THE_RUN:
        second_policy = policy
    elif config.second_policy is not None:
        second_policy = _named_parameters(config, models, SECOND_POLICY)
    else:
        second_policy = 0
    reward_model: int | None = 0
    if option := next((option for option in reversed(SERVED_REWARD_MODELS) if option in named), None):
        reward_model = _named_parameters(config, models, option)
    elif config.reward_model.endpoint is not None:
        reward_model = _size_of(config.reward_model.size)
    further = tuple(
        policy if entry.path in ROLES_OF_THE_RUN else _named_parameters(config, models, further_path(place))
        for place, entry in enumerate(config.policies)
    )
    return ModelParameters(policy=policy, second_policy=second_policy, reward_model=reward_model, further=further)


def training_parameters(config: RunConfig, models: RunModels) -> int | None:
    """Return the parameters of the model that ``raystar train`` starts from: of ``--init``, else of the base policy."""
    is_given = "--init" in models.resolved or "--init" in models.missing
    return _policy_parameters(config, models, "--init" if is_given else POLICY_PATH)


def _policy_parameters(config: RunConfig, models: RunModels, option: str) -> int | None:
    """Return the parameters of the policy; before the built-in one is made, those of its recipe."""
    if option in models.resolved or option in models.missing or config.policy.endpoint is not None:
        return _named_parameters(config, models, option)
    return built_in_parameters(config.policy.recipe.size)


def _named_parameters(config: RunConfig, models: RunModels, option: str) -> int | None:
    """Return the parameters of the model that ``option`` names; None if nothing says them."""
    model = models.resolved.get(option)
    counted = _count(model) if model is not None else None
    return counted or _size_of(declared_size(config, option))


def _count(model: ResolvedModel) -> int | None:
    """Return the parameters that the weight files hold, or that the Hub says; None of a quantized model or of .bin files.

    Quantized weights are packed, several in one element.
    """
    if saved_quantization(model.directory):
        return None
    return sum((saved_weights(model.directory) or model.elements).values()) or None


def _size_of(size: ModelSize | None) -> int | None:
    return size.parameters() if size is not None else None


def built_in_parameters(size: BasePolicySize) -> int:
    """Return the parameters of the built-in base policy, a Qwen2 with tied embeddings, its biases of q, k and v included."""
    shape = ModelSize(
        layers=size.layers,
        hidden=size.hidden_size,
        intermediate=size.intermediate_size,
        heads=size.heads,
        kv_heads=size.heads,
        vocabulary=size.vocabulary,
    )
    return shape.parameters() + 3 * size.layers * size.hidden_size
