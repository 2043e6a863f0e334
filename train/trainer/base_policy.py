"""Make a small Qwen2 model directory: a tokenizer learnt from texts, and random weights. Downloads nothing."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from pathlib import Path

import torch
from tokenizers import AddedToken
from transformers import Qwen2Config, Qwen2ForCausalLM, Qwen2Tokenizer
from transformers.utils.logging import disable_progress_bar

from train.config import BasePolicySize

PAD = "<|pad|>"
LARGEST_NUMBER = 100  # largest number in a sentence of the curriculum


def build_tokenizer(texts: Iterable[str], vocabulary: int, tags: Sequence[str]) -> Qwen2Tokenizer:
    """Train a byte-level BPE tokenizer on ``texts`` and return it. Any text can be encoded and decoded without loss.

    Frequent words, the numbers from 0 to LARGEST_NUMBER and the tags are one token each.

    Args:
        texts: what the merges are learnt from.
        vocabulary: number of tokens, with numbers, tags and padding.
        tags: the step format's tags.

    The class is Qwen2Tokenizer, because AutoTokenizer loads every tokenizer of this architecture as that class, and
    another class would split text in another way. It splits numbers into digits, so whole numbers are added as tokens.
    """
    numbers = [f" {number}" for number in range(LARGEST_NUMBER + 1)]
    added_tokens = [AddedToken(text, special=False, normalized=False) for text in (*tags, *numbers)]
    learnt_tokens = vocabulary - len(added_tokens) - 1
    tokenizer = Qwen2Tokenizer().train_new_from_iterator(
        texts, learnt_tokens, new_special_tokens=[PAD], show_progress=False
    )
    tokenizer.add_tokens(added_tokens)
    tokenizer.pad_token = PAD
    return tokenizer  # type: ignore[no-any-return]


def _silence_libraries() -> None:
    """Silence what saving a model prints: DeepSpeed's warning of a missing GPU, and a progress bar for one file."""
    disable_progress_bar()
    logging.getLogger("DeepSpeed").addFilter(lambda record: "accelerator" not in record.getMessage())


def write_initial_model(directory: Path, size: BasePolicySize, tokenizer: Qwen2Tokenizer, seed: int) -> None:
    """Write a randomly initialised model and its tokenizer to ``directory`` as a plain Hugging Face directory."""
    _silence_libraries()
    torch.manual_seed(seed)
    config = Qwen2Config(
        vocab_size=len(tokenizer),
        hidden_size=size.hidden_size,
        intermediate_size=size.intermediate_size,
        num_hidden_layers=size.layers,
        num_attention_heads=size.heads,
        num_key_value_heads=size.heads,
        max_position_embeddings=size.context,
        tie_word_embeddings=True,
        initializer_range=size.initial_std,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    Qwen2ForCausalLM(config).save_pretrained(directory)
    tokenizer.save_pretrained(directory)
