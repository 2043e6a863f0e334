"""Write a model directory with random weights and a small tokenizer, of any shape."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from transformers import Qwen2Config, Qwen2ForCausalLM

from search.formats.code_format import CODE_TAGS
from train.trainer.base_policy import build_tokenizer

TOKENS = 800  # of the tokenizer; the model's vocabulary may be larger
TEXT = "Tom has 12 red apples and 7 green ones. He gives 9 away. How many apples are left?"


def write_random_model(directory: Path, widths: Mapping[str, int]) -> None:
    """Write a Qwen2 of some widths (hidden, layers, heads, kv_heads, intermediate, vocabulary) in bfloat16, tied."""
    torch.manual_seed(0)
    tokenizer = build_tokenizer([TEXT], TOKENS, CODE_TAGS)
    config = Qwen2Config(
        vocab_size=widths["vocabulary"],
        hidden_size=widths["hidden"],
        intermediate_size=widths["intermediate"],
        num_hidden_layers=widths["layers"],
        num_attention_heads=widths["heads"],
        num_key_value_heads=widths["kv_heads"],
        max_position_embeddings=2048,
        tie_word_embeddings=True,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=None,
    )
    Qwen2ForCausalLM(config).to(torch.bfloat16).save_pretrained(directory)
    tokenizer.save_pretrained(directory)
