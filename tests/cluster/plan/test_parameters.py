"""Numbers of parameters of a run's models."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from cluster.config.run_config import RunConfig
from cluster.models.resolve import ResolvedModel
from cluster.plan.parameters import ModelParameters, built_in_parameters, model_parameters, training_parameters
from cluster.run.model_fields import RunModels
from train.config import BasePolicySize

SIZE = {"layers": 1, "hidden": 2, "intermediate": 3, "heads": 1, "kv_heads": 1, "vocabulary": 5}
DECLARED = 5 * 2 + (4 * 2 * 2 + 3 * 2 * 3 + 2 * 2) + 2  # embedding, attention, feed-forward, norms


def make_config(**fields: Any) -> RunConfig:
    return RunConfig.model_validate({"name": "r", "problems": {"train": {"name": "curriculum", "count": 2}}, **fields})


def model(directory: Path, **config: Any) -> ResolvedModel:
    directory.mkdir()
    (directory / "config.json").write_text('{"quantization_config": {"quant_method": "awq"}}' if config else "{}")
    save_file({"weight": torch.zeros(3, 4), "bias": torch.zeros(4)}, directory / "model.safetensors")
    return ResolvedModel(reference=str(directory), directory=directory)


def test_a_model_at_hand_is_counted_in_its_weight_files(tmp_path: Path) -> None:
    models = RunModels(resolved={"policy.path": model(tmp_path / "policy")})
    config = make_config(policy={"path": "policy", "size": SIZE})
    assert model_parameters(config, models) == ModelParameters(policy=16)


def test_a_missing_or_packed_model_is_counted_as_declared(tmp_path: Path) -> None:
    config = make_config(policy={"path": "me/big", "size": SIZE})
    assert model_parameters(config, RunModels(missing={"policy.path": "far"})).policy == DECLARED == 50
    packed = RunModels(resolved={"policy.path": model(tmp_path / "awq", packed=True)})
    assert model_parameters(config, packed).policy == 50
    undeclared = make_config(policy={"path": "me/big"})
    assert model_parameters(undeclared, RunModels(missing={"policy.path": "far"})).policy is None


def test_every_role_has_its_own_model() -> None:
    config = make_config(
        policy={"path": "me/big", "size": SIZE},
        second_policy="me/small",
        second_policy_size={**SIZE, "vocabulary": 4},
        reward_model={"path": "me/prm", "size": {**SIZE, "vocabulary": 6}},
    )
    missing = RunModels(missing={"policy.path": "", "second_policy": "", "reward_model.path": ""})
    assert model_parameters(config, missing) == ModelParameters(policy=50, second_policy=48, reward_model=52)
    again = make_config(policy={"path": "me/big", "size": SIZE}, second_policy="base")
    assert model_parameters(again, missing).second_policy == 50


def test_the_built_in_policy_is_counted_before_it_is_made() -> None:
    """2 x 8 of the embedding, 4 x 2 x 2 + 3 x 2 x 3 + 2 x 2 of a layer, 2 of the norm, 3 x 2 biases."""
    size = BasePolicySize.model_construct(hidden_size=2, layers=1, heads=1, intermediate_size=3, vocabulary=8)
    assert built_in_parameters(size) == 16 + 38 + 2 + 6
    recipe = make_config().policy.recipe.size
    assert model_parameters(make_config(), RunModels()).policy == built_in_parameters(recipe)


def test_training_begins_from_init_else_from_the_base(tmp_path: Path) -> None:
    config = make_config()
    assert training_parameters(config, RunModels()) == built_in_parameters(config.policy.recipe.size)
    init = RunModels(resolved={"--init": model(tmp_path / "init")})
    assert training_parameters(config, init) == 16


def test_several_policies_are_taken_for_the_largest() -> None:
    config = make_config(
        policy={"path": "me/big", "size": SIZE},
        policies=[{"path": "me/bigger", "size": {**SIZE, "vocabulary": 9}}, {"path": "base"}],
        search={"strategy": "ab_mcts"},
        reward_model={"path": "me/prm"},
        rounds=[{"values": "reward_model"}],
    )
    models = model_parameters(
        config, RunModels(missing={"policy.path": "", "policies.0.path": "", "reward_model.path": ""})
    )
    assert (models.further, models.largest_policy()) == ((58, 50), 58)
    assert ModelParameters(policy=50, further=(None,)).largest_policy() is None
