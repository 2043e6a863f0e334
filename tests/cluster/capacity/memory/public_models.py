"""Shapes of public models by their config.json, and what they take by hand."""

from __future__ import annotations

from cluster.capacity.memory.shape import ModelShape, shape_of_config

QWEN_7B = {
    "architectures": ["Qwen2ForCausalLM"],
    "hidden_size": 3584,
    "intermediate_size": 18944,
    "num_hidden_layers": 28,
    "num_attention_heads": 28,
    "num_key_value_heads": 4,
    "max_position_embeddings": 32768,
    "sliding_window": 131072,
    "use_sliding_window": False,
    "tie_word_embeddings": False,
    "torch_dtype": "bfloat16",
    "vocab_size": 152064,
}
LLAMA_8B = {
    "architectures": ["LlamaForCausalLM"],
    "hidden_size": 4096,
    "intermediate_size": 14336,
    "num_hidden_layers": 32,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "max_position_embeddings": 8192,
    "tie_word_embeddings": False,
    "torch_dtype": "bfloat16",
    "vocab_size": 128256,
}
# Qwen2.5-0.5B with an output layer of its own.
QWEN_HALF_B = {
    "architectures": ["Qwen2ForCausalLM"],
    "hidden_size": 896,
    "intermediate_size": 4864,
    "num_hidden_layers": 24,
    "num_attention_heads": 14,
    "num_key_value_heads": 2,
    "max_position_embeddings": 32768,
    "tie_word_embeddings": False,
    "torch_dtype": "bfloat16",
    "vocab_size": 151936,
}
QWEN_7B_WEIGHTS, LLAMA_8B_WEIGHTS, HALF_B_WEIGHTS = 7_615_616_512, 8_030_261_248, 630_167_424


def qwen_7b() -> ModelShape:
    """Return the shape of Qwen2.5-7B."""
    return known(QWEN_7B, QWEN_7B_WEIGHTS)


def llama_8b() -> ModelShape:
    """Return the shape of Llama 3 8B."""
    return known(LLAMA_8B, LLAMA_8B_WEIGHTS)


def half_b() -> ModelShape:
    """Return the shape of a model of half a billion parameters."""
    return known(QWEN_HALF_B, HALF_B_WEIGHTS)


def known(config: dict[str, object], weights: int) -> ModelShape:
    """Return the shape of a config whose weights are saved in bfloat16."""
    shape = shape_of_config(config, {"bfloat16": weights})
    assert shape is not None
    return shape
