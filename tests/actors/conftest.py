"""Make tiny models with random weights, in a second each, for tests that start a real engine.

torch and transformers are imported where they are used: tests that need no model must not wait for them.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from actors.config import EngineConfig
from actors.engines.manager import EngineManager
from search.data import ModelRef
from search.formats.code_format import CODE_TAGS

EOS = "<eos>"


def make_tokenizer() -> Any:
    """Return a tokenizer: every byte is a token, and every pair of the letters a to p; the tags are added tokens."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    letters = "abcdefghijklmnop"
    pairs = [first + second for first in letters for second in letters]
    vocabulary = {token: index for index, token in enumerate([*alphabet, *pairs])}
    merges = [(pair[0], pair[1]) for pair in pairs]
    inner = Tokenizer(models.BPE(vocab=vocabulary, merges=merges))
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = decoders.ByteLevel()
    outer = PreTrainedTokenizerFast(tokenizer_object=inner, eos_token=EOS, pad_token=EOS)
    outer.add_tokens(list(CODE_TAGS))
    return outer


def make_config(words: Any, width: int, layers: int) -> Any:
    from transformers import Qwen2Config

    return Qwen2Config(
        vocab_size=len(words),
        hidden_size=width,
        intermediate_size=3 * width,
        num_hidden_layers=layers,
        num_attention_heads=width // 32,
        num_key_value_heads=width // 64,
        max_position_embeddings=4096,
        eos_token_id=words.eos_token_id,
        pad_token_id=words.eos_token_id,
        bos_token_id=None,
        tie_word_embeddings=True,
    )


def make_policy(path: Path, width: int = 128, layers: int = 2, seed: int = 0, gain: float = 1.0) -> Path:
    """Write a causal model that generates noise: about one token in 500 is a given tag.

    ``gain`` scales the layers: at 1 a greedy text says its last token again and again, at 10 it does not.
    """
    import torch
    from transformers import Qwen2ForCausalLM

    torch.manual_seed(seed)
    words = make_tokenizer()
    model = Qwen2ForCausalLM(make_config(words, width, layers)).to(torch.float32)
    with torch.no_grad():
        for layer in model.model.layers:
            for weight in layer.parameters():
                weight.mul_(gain if weight.ndim == 2 else 1)
    model.save_pretrained(path)
    words.save_pretrained(path)
    return path


def make_reward_model(path: Path, width: int = 128, layers: int = 2, seed: int = 1, labels: int = 1) -> Path:
    """Write a classifier whose logits are about one in size."""
    import torch
    from transformers import Qwen2ForSequenceClassification

    torch.manual_seed(seed)
    words = make_tokenizer()
    shape = make_config(words, width, layers)
    shape.num_labels = labels
    model = Qwen2ForSequenceClassification(shape).to(torch.float32)
    with torch.no_grad():
        model.score.weight.mul_(5)
    model.save_pretrained(path)
    words.save_pretrained(path)
    return path


@pytest.fixture(scope="session")
def words() -> Any:
    return make_tokenizer()


@pytest.fixture(scope="session")
def policy_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_policy(tmp_path_factory.mktemp("models") / "policy")


@pytest.fixture(scope="session")
def reward_model_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_reward_model(tmp_path_factory.mktemp("models") / "reward_model")


@pytest.fixture(scope="session")
def engine_config() -> EngineConfig:
    """A pass takes less than the tests ask for at once, so requests wait for the next one."""
    return EngineConfig(
        dtype="float32",
        max_model_len=512,
        max_batched_tokens=512,
        kv_cache_gib=0.25,
        num_cpus=0.1,
        start_deadline_s=600,
    )


@pytest.fixture(scope="session")
def models(policy_dir: Path, reward_model_dir: Path) -> tuple[ModelRef, ModelRef]:
    return ModelRef("policy", str(policy_dir), 0, 3), ModelRef("reward_model", str(reward_model_dir), 1, 4)


@pytest.fixture(scope="session")
def others(tmp_path_factory: pytest.TempPathFactory) -> tuple[ModelRef, ModelRef]:
    """Models of the same shapes with other weights."""
    root = tmp_path_factory.mktemp("others")
    policy, reward_model = (
        make_policy(root / "policy", seed=2, gain=10),
        make_reward_model(root / "reward_model", seed=3),
    )
    return ModelRef("policy", str(policy), 1, 5), ModelRef("reward_model", str(reward_model), 2, 6)


@pytest.fixture(scope="session")
def engine_manager(
    local_ray: None, models: tuple[ModelRef, ModelRef], engine_config: EngineConfig
) -> Iterator[EngineManager]:
    """One policy engine and one reward model, started once for all slow tests of this folder."""
    with EngineManager(engine_config, engine_config) as manager:
        manager.start(*models)
        yield manager
