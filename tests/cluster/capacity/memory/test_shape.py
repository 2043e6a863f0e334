from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from cluster.capacity.memory.shape import (
    shape_of_config,
    shape_of_directory,
    shape_of_recipe,
    shape_of_size,
)
from cluster.models.size import ModelSize
from tests.cluster.capacity.memory.public_models import (
    LLAMA_8B,
    LLAMA_8B_WEIGHTS,
    QWEN_7B,
    QWEN_7B_WEIGHTS,
    llama_8b,
    qwen_7b,
)
from train.config import BasePolicySize

MIXTRAL = LLAMA_8B | {"num_local_experts": 8, "num_experts_per_tok": 2}


@pytest.mark.parametrize(
    ("config", "weights", "biases"),
    [(QWEN_7B, QWEN_7B_WEIGHTS, 28 * (3584 + 2 * 512)), (LLAMA_8B, LLAMA_8B_WEIGHTS, 0)],
)
def test_declared_size_has_the_published_number_of_weights(config: dict[str, int], weights: int, biases: int) -> None:
    size = ModelSize(
        layers=config["num_hidden_layers"],
        hidden=config["hidden_size"],
        intermediate=config["intermediate_size"],
        heads=config["num_attention_heads"],
        kv_heads=config["num_key_value_heads"],
        vocabulary=config["vocab_size"],
        tied_embeddings=False,
    )
    assert shape_of_size(size).parameters + biases == weights


def test_shape_holds_what_a_config_says() -> None:
    shape = qwen_7b()
    assert (shape.layers, shape.hidden, shape.kv_heads, shape.head_dim) == (28, 3584, 4, 128)
    assert (shape.context, shape.dtype, shape.tied) == (32768, "bfloat16", False)
    assert (shape.window, shape.sliding_layers) == (0, 0)  # use_sliding_window is false
    assert shape.head == shape.embedding == 152064 * 3584


def test_shape_counts_layers_with_a_window() -> None:
    kinds = ["sliding_attention"] * 24 + ["full_attention"] * 8
    shape = shape_of_config(LLAMA_8B | {"sliding_window": 1024, "layer_types": kinds}, {})
    assert shape is not None
    assert (shape.window, shape.sliding_layers) == (1024, 24)


def test_every_layer_has_a_window_when_no_kinds_are_named() -> None:
    shape = shape_of_config(LLAMA_8B | {"sliding_window": 4096}, {})
    assert shape is not None
    assert shape.sliding_layers == 32


def test_mixture_has_the_width_of_its_chosen_experts() -> None:
    shape = shape_of_config(MIXTRAL, {"bfloat16": 46_700_000_000})
    assert shape is not None
    assert (shape.intermediate, shape.parameters) == (2 * 14336, 46_700_000_000)


def test_parameters_are_counted_when_no_weights_are_at_hand() -> None:
    assert shape_of_config(LLAMA_8B, {}) == replace(llama_8b(), dtype="bfloat16")


def test_quantized_weights_count_as_they_are_packed() -> None:
    packed = {"i32": 900_000_000, "float16": 1_000_000_000}
    shape = shape_of_config(LLAMA_8B | {"quantization_config": {"quant_method": "awq"}}, packed)
    assert shape is not None
    assert shape.packed_bytes == 4 * 900_000_000 + 2 * 1_000_000_000
    assert shape.parameters == LLAMA_8B_WEIGHTS


def test_shape_is_unknown_when_a_config_has_no_layers() -> None:
    assert shape_of_config({"hidden_size": 64}, {"float32": 100}) is None


def test_shape_of_a_directory_counts_its_weights(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps(LLAMA_8B))
    save_file({"a": torch.zeros(3, 5), "b": torch.zeros(7)}, tmp_path / "model.safetensors")
    shape = shape_of_directory(tmp_path)
    assert shape is not None
    assert shape.parameters == 22


def test_shape_of_a_text_section_is_that_of_the_model() -> None:
    shape = shape_of_config({"text_config": LLAMA_8B, "tie_word_embeddings": False}, {"bfloat16": LLAMA_8B_WEIGHTS})
    assert shape == llama_8b()


def test_recipe_is_a_tied_model_in_float32() -> None:
    size = BasePolicySize(hidden_size=128, layers=2, heads=4, intermediate_size=384, vocabulary=800, context=512)
    shape = shape_of_recipe(size)
    layer = 4 * 128 * 128 + 3 * 128 * 384 + 2 * 128 + 3 * 128
    assert shape.parameters == 800 * 128 + 2 * layer + 128
    assert (shape.dtype, shape.context, shape.head) == ("float32", 512, 0)
