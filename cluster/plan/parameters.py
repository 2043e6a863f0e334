"""Count the parameters of a run's models: from the files of one that is at hand, else from the size that is declared."""

from __future__ import annotations

from dataclasses import dataclass, replace

from actors.engines.arguments import saved_quantization
from cluster.capacity.memory.estimate import shape_of_recipe
from cluster.config.run_config import RunConfig
from cluster.models.directory import saved_weights
from cluster.models.resolve import ResolvedModel
from cluster.models.size import ModelSize
from cluster.run.model_fields import POLICY_PATH, RunModels, declared_size, is_built_in, options_by_role
from cluster.run.models import POLICY, REWARD_MODEL
from search.protocols import SECOND_POLICY, policy_role
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
    options = options_by_role(config, models)

    def parameters(role: str) -> int | None:
        return _parameters(config, models, options[role])

    reward_model: int | None = 0
    if REWARD_MODEL in options:
        reward_model = parameters(REWARD_MODEL)
    elif config.reward_model.endpoint is not None:
        reward_model = _size_of(config.reward_model.size)
    return ModelParameters(
        policy=parameters(POLICY),
        second_policy=parameters(SECOND_POLICY) if SECOND_POLICY in options else 0,
        reward_model=reward_model,
        further=tuple(parameters(policy_role(place + 1)) for place in range(len(config.policies))),
    )


def training_parameters(config: RunConfig, models: RunModels) -> int | None:
    """Return the parameters of the model that ``raystar train`` starts from: of ``--init``, else of the base policy."""
    is_given = "--init" in models.resolved or "--init" in models.missing
    return _parameters(config, models, "--init" if is_given else POLICY_PATH)


def _parameters(config: RunConfig, models: RunModels, option: str) -> int | None:
    """Return the parameters of the model that ``option`` names, None if nothing says them; of the built-in policy by its recipe."""
    if is_built_in(config, models, option):
        return built_in_parameters(config.policy.recipe.size)
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
    return shape_of_recipe(size).parameters
