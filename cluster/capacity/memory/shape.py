"""The shape of a decoder as memory depends on it: read from a model directory's files, or taken from a declared size."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from cluster.models.directory import CONFIG, saved_weights
from cluster.models.resolve import ResolvedModel
from cluster.models.size import ModelSize
from search.serialization import read_json_object
from train.config import BasePolicySize

# Bytes of an element, by the names that config.json and the headers of safetensors files have for types.
ELEMENT_BYTES: Mapping[str, int] = {
    "float64": 8,
    "float32": 4,
    "bfloat16": 2,
    "float16": 2,
    "float8_e4m3fn": 1,
    "f8_e5m2": 1,
    "i64": 8,
    "i32": 4,
    "i16": 2,
    "i8": 1,
    "u8": 1,
    "bool": 1,
}
SLIDING = "sliding_attention"  # in layer_types of config.json


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelShape:
    """Layers and widths of a decoder with gated feed-forward layers.

    Attributes:
        parameters: weights in all, tied ones once.
        layers: decoder layers.
        hidden: width of the residual stream.
        intermediate: width of the feed-forward layers that one token passes; of all chosen experts in a mixture.
        heads: attention heads.
        kv_heads: heads of keys and values.
        head_dim: width of a head.
        vocabulary: tokens of the embedding.
        tied: whether the output layer is the embedding.
        context: tokens of the longest sequence; None if nothing says it.
        dtype: type of the saved weights ("bfloat16"); "auto" where nothing says it.
        packed_bytes: bytes of the saved weights of a quantized model; None of a full one.
        window: tokens that a layer with a sliding window attends to.
        sliding_layers: layers with such a window.
    """

    parameters: int
    layers: int
    hidden: int
    intermediate: int
    heads: int
    kv_heads: int
    head_dim: int
    vocabulary: int
    tied: bool = True
    context: int | None = None
    dtype: str = "auto"
    packed_bytes: int | None = None
    window: int = 0
    sliding_layers: int = 0

    @property
    def embedding(self) -> int:
        """Weights of the embedding, which is the largest single layer of most models."""
        return self.vocabulary * self.hidden

    @property
    def largest_layer(self) -> int:
        """Weights of the largest module that holds weights itself, which ZeRO-3 gathers whole."""
        return max(self.embedding, self.hidden * self.intermediate)

    @property
    def head(self) -> int:
        """Weights of an output layer of its own, which a reward model does not have; 0 where it is the embedding."""
        return 0 if self.tied else self.embedding


def shape_of_size(size: ModelSize, context: int | None = None) -> ModelShape:
    """Return the shape of a model whose size a config declares."""
    return ModelShape(
        parameters=size.parameters(),
        layers=size.layers,
        hidden=size.hidden,
        intermediate=size.intermediate,
        heads=size.heads,
        kv_heads=size.kv_heads,
        head_dim=size.hidden // size.heads,
        vocabulary=size.vocabulary,
        tied=size.tied_embeddings,
        context=context,
        dtype="bfloat16",
    )


def shape_of_recipe(size: BasePolicySize) -> ModelShape:
    """Return the shape of the built-in base policy: tied, in float32, with as many heads of keys as of queries."""
    declared = ModelSize(
        layers=size.layers,
        hidden=size.hidden_size,
        intermediate=size.intermediate_size,
        heads=size.heads,
        kv_heads=size.heads,
        vocabulary=size.vocabulary,
    )
    shape, biases = shape_of_size(declared, size.context), 3 * size.layers * size.hidden_size
    return replace(shape, parameters=shape.parameters + biases, dtype="float32")


def shape_of_model(model: ResolvedModel) -> ModelShape | None:
    """Return the shape of a model by its config.json and the headers of its weights, or the counts of the Hub."""
    return shape_of_config(read_json_object(model.directory / CONFIG), saved_weights(model.directory) or model.elements)


def shape_of_directory(directory: Path) -> ModelShape | None:
    """Return the shape of the model in a directory; None where its config does not say layers and widths."""
    return shape_of_config(read_json_object(directory / CONFIG), saved_weights(directory))


def shape_of_config(config: Mapping[str, Any], elements: Mapping[str, int]) -> ModelShape | None:
    """Return the shape that a config.json describes; None where it lacks layers or widths.

    ``elements``: saved weights by type. Where there are none, the parameters are those of a dense gated decoder.
    """
    nested = config.get("text_config")
    text = {**config, **nested} if isinstance(nested, dict) else dict(config)
    layers, hidden = _number(text, "num_hidden_layers", "n_layer"), _number(text, "hidden_size", "n_embd")
    heads, vocabulary = _number(text, "num_attention_heads", "n_head"), _number(text, "vocab_size")
    if not (layers and hidden and heads and vocabulary):
        return None
    sliding = _sliding_layers(text, layers)
    shape = ModelShape(
        parameters=sum(elements.values()),
        layers=layers,
        hidden=hidden,
        intermediate=_intermediate(text, hidden),
        heads=heads,
        kv_heads=_number(text, "num_key_value_heads") or heads,
        head_dim=_number(text, "head_dim") or hidden // heads,
        vocabulary=vocabulary,
        tied=bool(text.get("tie_word_embeddings", True)),
        context=_number(text, "max_position_embeddings", "n_positions"),
        dtype=_dtype(text, elements),
        packed_bytes=element_bytes(elements) if config.get("quantization_config") and elements else None,
        window=_number(text, "sliding_window") if sliding else 0,
        sliding_layers=sliding,
    )
    return shape if shape.parameters and shape.packed_bytes is None else _with_counted_parameters(shape)


def element_bytes(elements: Mapping[str, int]) -> int:
    """Return the bytes of saved weights, by type; an unknown type is taken for two bytes."""
    return sum(count * ELEMENT_BYTES.get(name, 2) for name, count in elements.items())


def _number(config: Mapping[str, Any], *names: str) -> int:
    """Return the first of some fields that holds a number; 0 without one."""
    return next((int(config[name]) for name in names if isinstance(config.get(name), int | float)), 0)


def _intermediate(config: Mapping[str, Any], hidden: int) -> int:
    """Return the feed-forward width that a token passes: in a mixture, that of its experts and of the shared one."""
    chosen = _number(config, "num_experts_per_tok")
    if chosen and (width := _number(config, "moe_intermediate_size", "intermediate_size")):
        return chosen * width + _number(config, "shared_expert_intermediate_size")
    return _number(config, "intermediate_size", "n_inner", "ffn_hidden_size") or 4 * hidden


def _sliding_layers(config: Mapping[str, Any], layers: int) -> int:
    """Return how many layers attend to a window. Mistral's first models name no kinds: all of their layers do."""
    if not _number(config, "sliding_window") or config.get("use_sliding_window") is False:
        return 0
    kinds = config.get("layer_types")
    return kinds.count(SLIDING) if isinstance(kinds, list) else layers


def _dtype(config: Mapping[str, Any], elements: Mapping[str, int]) -> str:
    """Return the type that a config names, else that of most weights."""
    if named := config.get("dtype") or config.get("torch_dtype"):
        return str(named).removeprefix("torch.")
    floats = {name: count for name, count in elements.items() if name in ("float32", "bfloat16", "float16")}
    return max(floats, key=floats.__getitem__) if floats else "auto"


def _with_counted_parameters(shape: ModelShape) -> ModelShape:
    """Return the shape with the parameters of a dense gated decoder in place of a number that its files do not say."""
    width, keys = shape.heads * shape.head_dim, shape.kv_heads * shape.head_dim
    layer = 2 * shape.hidden * width + 2 * shape.hidden * keys + 3 * shape.hidden * shape.intermediate
    parameters = shape.embedding + shape.head + shape.layers * (layer + 2 * shape.hidden) + shape.hidden
    return replace(shape, parameters=parameters)
