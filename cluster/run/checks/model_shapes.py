"""Say what shape each model of a command has: by its files where it is at hand, else by the size that the config declares."""

from __future__ import annotations

from cluster.capacity.bundles import POLICY, REWARD_MODEL, TRAINING
from cluster.capacity.memory.estimate import ModelShape, shape_of_model, shape_of_recipe, shape_of_size
from cluster.config.run_config import RunConfig
from cluster.run.model_fields import (
    POLICY_PATH,
    ROLES_OF_THE_RUN,
    SECOND_POLICY,
    SERVED_REWARD_MODELS,
    RunModels,
    declared_size,
    further_path,
)
from search.protocols import policy_role


def model_shapes(config: RunConfig, models: RunModels) -> dict[str, ModelShape]:
    """Return the shapes by role, TRAINING for what ``raystar train`` starts from; without those that nothing says."""
    named = {*models.resolved, *models.missing}
    policy = _policy_shape(config, models, "--policy" if "--policy" in named else POLICY_PATH)
    shapes = {POLICY: policy}
    if "--init" in named:
        shapes[TRAINING] = _shape(config, models, "--init")
    if config.second_policy is not None:
        is_of_the_run = config.second_policy in ROLES_OF_THE_RUN
        shapes[SECOND_POLICY] = policy if is_of_the_run else _shape(config, models, SECOND_POLICY)
    for place, further in enumerate(config.policies):
        is_of_the_run = further.path in ROLES_OF_THE_RUN
        shapes[policy_role(place + 1)] = policy if is_of_the_run else _shape(config, models, further_path(place))
    if option := next((option for option in reversed(SERVED_REWARD_MODELS) if option in named), None):
        shapes[REWARD_MODEL] = _shape(config, models, option)
    return {role: shape for role, shape in shapes.items() if shape is not None}


def _policy_shape(config: RunConfig, models: RunModels, option: str) -> ModelShape | None:
    """Return the shape of the policy; of the built-in one by its recipe."""
    if option in models.resolved or option in models.missing or config.policy.endpoint is not None:
        return _shape(config, models, option)
    return shape_of_recipe(config.policy.recipe.size)


def _shape(config: RunConfig, models: RunModels, option: str) -> ModelShape | None:
    """Return the shape of the model that ``option`` names."""
    model = models.resolved.get(option)
    shape = shape_of_model(model) if model is not None else None
    if shape is not None:
        return shape
    size = declared_size(config, option)
    return shape_of_size(size) if size is not None else None
