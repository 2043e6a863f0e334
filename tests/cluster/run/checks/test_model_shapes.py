"""The shape of each model of a command: by its files, by its declared size, by the recipe of the built-in policy."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from cluster.config.run_config import RunConfig
from cluster.models.resolve import ResolvedModel
from cluster.run.checks.model_shapes import model_shapes
from cluster.run.model_fields import RunModels

SIZE = {"layers": 2, "hidden": 64, "intermediate": 128, "heads": 4, "kv_heads": 2, "vocabulary": 100}


def config(**fields: Any) -> RunConfig:
    return RunConfig.model_validate({"name": "r", "problems": {"train": {"name": "curriculum", "count": 2}}, **fields})


def model(folder: Path, name: str, layers: int) -> ResolvedModel:
    """Return a model directory whose config.json says its widths; of the weights the Hub says the number."""
    directory = folder / name
    directory.mkdir()
    fields = {"hidden_size": 64, "num_attention_heads": 4, "vocab_size": 100, "num_hidden_layers": layers}
    (directory / "config.json").write_text(json.dumps(fields))
    return ResolvedModel(reference=name, directory=directory, elements={"bfloat16": 1000 * layers})


def layers(written: RunConfig, models: RunModels) -> dict[str, int]:
    return {role: shape.layers for role, shape in model_shapes(written, models).items()}


def test_built_in_policy_has_the_shape_of_its_recipe() -> None:
    written = config(policy={"recipe": {"size": {"layers": 7}}}, second_policy="base")
    assert layers(written, RunModels()) == {"policy": 7, "second_policy": 7}


def test_models_at_hand_have_the_shapes_of_their_files(tmp_path: Path) -> None:
    options = ["policy.path", "reward_model.path", "second_policy", "policies.0.path", "--init"]
    resolved = {option: model(tmp_path, str(number), number) for number, option in enumerate(options, start=1)}
    written = config(
        policy={"path": "1"},
        second_policy="3",
        policies=[{"path": "4"}, {"path": "base"}],
        search={"strategy": "ab_mcts"},
    )
    shapes = model_shapes(written, RunModels(resolved=resolved))
    roles = ["policy", "reward_model", "second_policy", "policy_2", "training"]
    assert [(shapes[role].layers, shapes[role].parameters) for role in roles] == [(n, 1000 * n) for n in range(1, 6)]
    assert shapes["policy_3"] == shapes["policy"]


def test_options_go_before_the_models_of_the_config(tmp_path: Path) -> None:
    names = ["reward_model.path", "--policy", "--reward-model"]
    resolved = {option: model(tmp_path, str(number), number) for number, option in enumerate(names, start=1)}
    assert layers(config(), RunModels(resolved=resolved)) == {"policy": 2, "reward_model": 3}


def test_declared_size_stands_for_a_model_that_is_missing() -> None:
    written = config(policy={"path": "owner/name", "size": SIZE}, reward_model={"path": "owner/other"})
    missing = RunModels(missing={"policy.path": "not here", "reward_model.path": "not here"})
    assert layers(written, missing) == {"policy": 2}


def test_model_behind_a_server_has_no_shape_unless_declared() -> None:
    endpoint = {"url": "http://h/v1", "model": "m"}
    assert layers(config(policy={"endpoint": endpoint}), RunModels()) == {}
    assert layers(config(policy={"endpoint": endpoint, "size": SIZE}), RunModels()) == {"policy": 2}
