"""A small Qwen2 model directory from nothing: a tokenizer learnt from texts and random weights. Downloads nothing.

Knows the architecture's sizes and the tokenizer's rules; the weights are trained by the same loop as all others.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from pathlib import Path

import torch
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast, Qwen2Config, Qwen2ForCausalLM
from transformers.utils.logging import disable_progress_bar

from train.config import BaseSize

END, PAD = "<|endoftext|>", "<|pad|>"


def build_tokenizer(texts: Iterable[str], vocabulary: int, tags: Sequence[str]) -> PreTrainedTokenizerFast:
    """A byte-level BPE tokenizer: lossless on any text, one token a frequent word or number, one token a tag."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    added = [AddedToken(tag, special=False, normalized=False) for tag in tags]
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary - len(tags),
        special_tokens=[END, PAD],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.add_tokens(added)
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token=END, pad_token=PAD)


def _quiet() -> None:
    """Saving a model imports DeepSpeed, which warns of a missing GPU, and draws a bar for its one file: neither is news."""
    disable_progress_bar()
    logging.getLogger("DeepSpeed").addFilter(lambda record: "accelerator" not in record.getMessage())


def initialise(directory: Path, size: BaseSize, tokenizer: PreTrainedTokenizerFast, seed: int) -> None:
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
