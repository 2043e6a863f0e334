"""Say what shape each model of a command has: by its files where it is at hand, else by the size that the config declares."""

from __future__ import annotations

from cluster.capacity.bundles import TRAINING
from cluster.capacity.memory.estimate import ModelShape, shape_of_model, shape_of_recipe, shape_of_size
from cluster.config.run_config import RunConfig
from cluster.run.model_fields import RunModels, declared_size, is_built_in, options_by_role


def model_shapes(config: RunConfig, models: RunModels) -> dict[str, ModelShape]:
    """Return the shapes by role, TRAINING for what ``raystar train`` starts from; without those that nothing says."""
    options = options_by_role(config, models)
    if "--init" in models.resolved or "--init" in models.missing:
        options[TRAINING] = "--init"
    shapes = {option: _shape(config, models, option) for option in set(options.values())}
    return {role: shape for role, option in options.items() if (shape := shapes[option]) is not None}


def _shape(config: RunConfig, models: RunModels, option: str) -> ModelShape | None:
    """Return the shape of the model that ``option`` names; of the built-in policy by its recipe."""
    if is_built_in(config, models, option):
        return shape_of_recipe(config.policy.recipe.size)
    model = models.resolved.get(option)
    shape = shape_of_model(model) if model is not None else None
    if shape is not None:
        return shape
    size = declared_size(config, option)
    return shape_of_size(size) if size is not None else None
