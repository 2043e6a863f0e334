"""A small Qwen2 model directory from nothing: a tokenizer learnt from texts and random weights. Downloads nothing.

Knows the architecture's sizes and the tokenizer's rules; the weights are trained by the same loop as all others.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from pathlib import Path

import torch
from tokenizers import AddedToken
from transformers import Qwen2Config, Qwen2ForCausalLM, Qwen2Tokenizer
from transformers.utils.logging import disable_progress_bar

from train.config import BaseSize

PAD = "<|pad|>"
LARGEST_NUMBER = 100  # every number in a sentence of the curriculum


def build_tokenizer(texts: Iterable[str], vocabulary: int, tags: Sequence[str]) -> Qwen2Tokenizer:
    """A byte-level BPE tokenizer: lossless on any text, one token a frequent word, a number up to 100 or a tag.

    It is of the class that AutoTokenizer takes for this architecture whatever the directory says: any other would cut
    text differently when it is loaded again. That class cuts numbers into digits, so numbers are tokens of their own.
    """
    numbers = [f" {number}" for number in range(LARGEST_NUMBER + 1)]
    added = [AddedToken(text, special=False, normalized=False) for text in (*tags, *numbers)]
    learnt = vocabulary - len(added) - 1
    tokenizer = Qwen2Tokenizer().train_new_from_iterator(texts, learnt, new_special_tokens=[PAD], show_progress=False)
    tokenizer.add_tokens(added)
    tokenizer.pad_token = PAD
    return tokenizer  # type: ignore[no-any-return]


def _quiet() -> None:
    """Saving a model imports DeepSpeed, which warns of a missing GPU, and draws a bar for its one file: neither is news."""
    disable_progress_bar()
    logging.getLogger("DeepSpeed").addFilter(lambda record: "accelerator" not in record.getMessage())


def initialise(directory: Path, size: BaseSize, tokenizer: Qwen2Tokenizer, seed: int) -> None:
    """Write a randomly initialised model and its tokenizer to ``directory`` as a plain Hugging Face directory."""
    _quiet()
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
