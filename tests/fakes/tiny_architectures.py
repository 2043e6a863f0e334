"""Tiny models with random weights of many architectures, for what must hold whatever the architecture is.

What sets an architecture apart is made large: logits are capped, scaled and normalised so that leaving it out shows.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.fakes.tiny_model import make_tokenizer

SIZES = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 256,
    "initializer_range": 0.2,
}
GEMMA = {"head_dim": 8, "query_pre_attn_scalar": 8, "sliding_window": 16}
# What is given to the config beside SIZES and the tokenizer's ids, by architecture (model_type).
OPTIONS: dict[str, dict[str, Any]] = {
    "llama": {"tie_word_embeddings": False},
    "qwen2": {"tie_word_embeddings": True},
    "qwen3": {"head_dim": 8},
    "gemma2": {**GEMMA, "final_logit_softcapping": 1.0, "attn_logit_softcapping": 0.5},
    "gemma3_text": {**GEMMA, "final_logit_softcapping": None},
    "phi3": {},
    "granite": {"logits_scaling": 4.0, "embedding_multiplier": 3.0},
    "cohere": {"logit_scale": 4.0},
    "mistral": {},
    "olmo2": {},
    "glm4": {"head_dim": 8},
    "gpt_oss": {"head_dim": 8, "num_local_experts": 2, "num_experts_per_tok": 1},
    "modernbert-decoder": {"classifier_bias": True, "bos_token_id": 0, "cls_token_id": 0, "sep_token_id": 0},
    "gpt_neox": {},
}


def make_architecture(path: Path, architecture: str, tokenizer: Any = None, **options: Any) -> Path:
    """Write a causal language model of an architecture and return its directory. ``options`` are added to its config."""
    import torch
    from transformers import AutoModelForCausalLM

    torch.manual_seed(0)
    tokenizer = tokenizer or make_tokenizer()
    model = AutoModelForCausalLM.from_config(tiny_config(architecture, tokenizer, **options), dtype=torch.float32)
    model.save_pretrained(path)
    tokenizer.save_pretrained(path)
    return path


def tiny_config(architecture: str, tokenizer: Any, **options: Any) -> Any:
    """Return the config of a tiny model. "gemma3" is the one with a vision tower, whose text part is a config of its own."""
    from transformers import AutoConfig

    if architecture == "gemma3":
        vision = {
            "hidden_size": 16,
            "intermediate_size": 16,
            "num_hidden_layers": 1,
            "num_attention_heads": 2,
            "image_size": 28,
            "patch_size": 14,
        }
        text = {**SIZES, **OPTIONS["gemma3_text"], **_token_ids(tokenizer)}
        image = len(tokenizer) - 1
        return AutoConfig.for_model(
            "gemma3", text_config=text, vision_config=vision, image_token_index=image, mm_tokens_per_image=1, **options
        )
    return AutoConfig.for_model(architecture, **{**SIZES, **_token_ids(tokenizer), **OPTIONS[architecture], **options})


def _token_ids(tokenizer: Any) -> dict[str, Any]:
    return {
        "vocab_size": len(tokenizer),
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
        "bos_token_id": None,
    }
