"""Model directories for tests: tiny Qwen2 models with random weights, made in a second each, and empty ones.

torch and transformers are imported where they are used: tests that need no model must not wait for them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from search.formats.code_format import CODE_TAGS

EOS = "<eos>"
BYTE_PAIRS = "abcdefghijklmnop"
TRAINED_VOCABULARY = 320


def make_tokenizer(corpus: Sequence[str] = (), eos: str = EOS, pad: str = EOS, tags: Sequence[str] = CODE_TAGS) -> Any:
    """Return a tokenizer in which every byte is a token and ``tags``, those of the code format, are added tokens.

    Its other tokens are all pairs of the letters a to p, or, with a ``corpus``, what byte-pair encoding learns from it.
    """
    from tokenizers import Tokenizer, decoders, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    inner = _train_bpe(corpus, [eos, pad]) if corpus else Tokenizer(_pairs_bpe())
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = decoders.ByteLevel()
    outer = PreTrainedTokenizerFast(tokenizer_object=inner, eos_token=eos, pad_token=pad)
    outer.add_tokens(list(tags))
    return outer


def _pairs_bpe() -> Any:
    from tokenizers import models, pre_tokenizers

    pairs = [first + second for first in BYTE_PAIRS for second in BYTE_PAIRS]
    vocabulary = {token: index for index, token in enumerate([*sorted(pre_tokenizers.ByteLevel.alphabet()), *pairs])}
    return models.BPE(vocab=vocabulary, merges=[(pair[0], pair[1]) for pair in pairs])


def _train_bpe(corpus: Sequence[str], special_tokens: list[str]) -> Any:
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = trainers.BpeTrainer(
        vocab_size=TRAINED_VOCABULARY,
        special_tokens=special_tokens,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(corpus, trainer)
    return tokenizer


def make_config(tokenizer: Any, width: int, intermediate: int, layers: int, heads: int, positions: int) -> Any:
    """Return a Qwen2 config with half as many key-value heads as heads."""
    from transformers import Qwen2Config

    return Qwen2Config(
        vocab_size=len(tokenizer),
        hidden_size=width,
        intermediate_size=intermediate,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        num_key_value_heads=heads // 2,
        max_position_embeddings=positions,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=None,
        tie_word_embeddings=True,
    )


def make_policy(
    path: Path,
    *,
    tokenizer: Any = None,
    width: int = 128,
    intermediate: int = 384,
    layers: int = 2,
    heads: int = 4,
    positions: int = 4096,
    seed: int = 0,
    gain: float = 1.0,
) -> Path:
    """Write a causal model that generates noise: about one token in 500 is a given tag. Return its directory.

    ``gain`` scales the layers: at 1 a greedy text says its last token again and again, at 10 it does not.
    """
    import torch
    from transformers import Qwen2ForCausalLM

    torch.manual_seed(seed)
    tokenizer = tokenizer or make_tokenizer()
    model = Qwen2ForCausalLM(make_config(tokenizer, width, intermediate, layers, heads, positions)).to(torch.float32)
    with torch.no_grad():
        for layer in model.model.layers:
            for weight in layer.parameters():
                weight.mul_(gain if weight.ndim == 2 else 1)
    model.save_pretrained(path)
    tokenizer.save_pretrained(path)
    return path


def make_reward_model(path: Path, *, seed: int = 1, labels: int = 1) -> Path:
    """Write a classifier whose logits are about one in size. Return its directory."""
    import torch
    from transformers import Qwen2ForSequenceClassification

    torch.manual_seed(seed)
    tokenizer = make_tokenizer()
    config = make_config(tokenizer, width=128, intermediate=384, layers=2, heads=4, positions=4096)
    config.num_labels = labels
    model = Qwen2ForSequenceClassification(config).to(torch.float32)
    with torch.no_grad():
        model.score.weight.mul_(5)
    model.save_pretrained(path)
    tokenizer.save_pretrained(path)
    return path


def safetensors_bytes(tensors: Mapping[str, int], *, filler: bytes = b"\0") -> bytes:
    """Return a safetensors file of float32 vectors: their lengths by name. Every byte of them is ``filler``."""
    header, end = {}, 0
    for name, length in tensors.items():
        header[name] = {"dtype": "F32", "shape": [length], "data_offsets": [end, end + 4 * length]}
        end += 4 * length
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + filler * end


def make_empty_model(
    path: Path,
    labels: Sequence[str] | None = None,
    architecture: str | None = "Qwen2ForSequenceClassification",
    tags: Sequence[str] = (),
) -> Path:
    """Write the files of a model directory without weights, for checks that read no weights. Return the directory.

    ``labels`` are the classifier's outputs; without them it has none. ``architecture`` None writes an empty config.
    ``tags`` are the tokenizer's added tokens.
    """
    path.mkdir(parents=True, exist_ok=True)
    config: dict[str, object] = {} if architecture is None else {"architectures": [architecture]}
    if labels is not None:
        config["id2label"] = {str(index): name for index, name in enumerate(labels)}
    tokenizer = {"added_tokens": [{"content": tag} for tag in tags]} if tags else {}
    (path / "config.json").write_text(json.dumps(config))
    (path / "tokenizer.json").write_text(json.dumps(tokenizer))
    (path / "tokenizer_config.json").write_text("{}")
    (path / "model.safetensors").write_bytes(safetensors_bytes({}))
    return path
