"""What autograd really keeps of a forward pass is what the estimate says."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import torch
from torch import Tensor
from transformers import Qwen2Config, Qwen2ForCausalLM

from cluster.capacity.memory import training
from cluster.capacity.memory.activations import layer_bytes
from cluster.capacity.memory.shape import ModelShape, shape_of_config
from train.trainer import models
from train.trainer.models import ModelWithHead

CPU = torch.device("cpu")
ROWS = 2
ELEMENT = {torch.float32: 4, torch.bfloat16: 2}


def make_model(layers: int, dtype: torch.dtype, *, checkpointing: bool = False) -> tuple[ModelWithHead, ModelShape]:
    torch.manual_seed(0)
    config = Qwen2Config(
        vocab_size=64,
        hidden_size=128,
        intermediate_size=384,
        num_hidden_layers=layers,
        num_attention_heads=8,
        num_key_value_heads=2,
        max_position_embeddings=2048,
        tie_word_embeddings=True,
    )
    model = Qwen2ForCausalLM(config).to(dtype)
    if checkpointing:
        model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
    shape = shape_of_config(config.to_dict(), {})
    assert shape is not None
    return ModelWithHead(model, 0.0, is_language_model=True).train(), shape


@contextmanager
def counted_storages(model: torch.nn.Module) -> Iterator[dict[int, int]]:
    """Count the bytes of the storages that autograd saves during the block, those of weights left out."""
    weights = {parameter.untyped_storage().data_ptr() for parameter in model.parameters()}
    storages: dict[int, int] = {}

    def pack(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            storages[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        yield storages


def kept_by_layer(length: int, dtype: torch.dtype, *, checkpointing: bool = False) -> float:
    """Return the bytes that one layer keeps of one token: what three layers keep less what one keeps."""
    totals = []
    for layers in (1, 3):
        model, _ = make_model(layers, dtype, checkpointing=checkpointing)
        ids = torch.randint(0, 64, (ROWS, length))
        with models.attention_kernel(CPU, length), counted_storages(model) as storages:
            outputs = model(ids, torch.tensor([0, 1]))  # held, so that no storage is used again
            totals.append(sum(storages.values()))
        del outputs
    return (totals[1] - totals[0]) / 2 / (ROWS * length)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("length", [128, 768])
def test_layer_keeps_what_is_estimated(length: int, dtype: torch.dtype) -> None:
    _, shape = make_model(1, dtype)
    plain = length if length <= training.LONGEST_PLAIN_ATTENTION else None
    assert layer_bytes(shape, ELEMENT[dtype], plain) == pytest.approx(kept_by_layer(length, dtype))


def test_checkpointed_layer_keeps_its_input() -> None:
    _, shape = make_model(1, torch.bfloat16)
    assert kept_by_layer(768, torch.bfloat16, checkpointing=True) == pytest.approx(2 * shape.hidden)


def test_plain_attention_ends_where_the_trainer_ends_it() -> None:
    assert training.LONGEST_PLAIN_ATTENTION == models.LONGEST_PLAIN_ATTENTION
