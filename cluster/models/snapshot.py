"""A Hub model's local copy: which of its repository's files are needed, and the error where there is none."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from search.errors import UserError

# Config, tokenizer, templates, custom code. Documents and images are left out.
SMALL_FILES = re.compile(r"[^/]*\.(json|jinja|txt|model|tiktoken|py)|additional_chat_templates/[^/]*\.jinja")
SAFETENSORS_INDEX, BIN_INDEX = "model.safetensors.index.json", "pytorch_model.bin.index.json"
SAFETENSORS_SHARD = re.compile(r"model-\d+-of-\d+\.safetensors")
BIN_WEIGHTS = re.compile(r"pytorch_model[\w-]*\.bin")
EXTRA_HEAD = re.compile(r"(value_head|v_head)[\w-]*\.(safetensors|bin)")


class ModelUnavailable(UserError):
    """A model that is neither in the local cache nor on a Hub that answers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """One commit of a Hub model in the local cache.

    ``elements``: numbers of parameters by type, as the Hub says; empty where the weights are in ``directory``.
    """

    directory: Path
    commit: str
    elements: dict[str, int] = field(default_factory=dict)


def needed_files(names: Iterable[str], *, weights: bool = True) -> list[str]:
    """Return those of a repository's files that a model needs, each weight once.

    Safetensors are preferred to .bin; what original/, GGUF, ONNX and the like hold is left out. Without ``weights`` only
    config, tokenizer, templates and custom code.
    """
    files = sorted(names)
    small = [name for name in files if SMALL_FILES.fullmatch(name) and not name.endswith(".index.json")]
    return [*small, *_weights(files)] if weights else small


def _weights(files: list[str]) -> list[str]:
    """Return the files of one copy of the weights, with their index, and of a value head beside them."""
    top = [name for name in files if "/" not in name]
    extra = [name for name in top if EXTRA_HEAD.fullmatch(name)]
    shards = [name for name in top if SAFETENSORS_SHARD.fullmatch(name)]
    if SAFETENSORS_INDEX in top and shards:
        return [*shards, SAFETENSORS_INDEX, *extra]
    if "model.safetensors" in top:
        return ["model.safetensors", *extra]
    if others := [name for name in top if name.endswith(".safetensors") and name not in extra]:
        return [*others, *(name for name in top if name.endswith(".safetensors.index.json")), *extra]
    return [name for name in top if BIN_WEIGHTS.fullmatch(name) or name == BIN_INDEX] + extra
