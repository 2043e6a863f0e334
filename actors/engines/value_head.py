"""A model class for vLLM, which lacks it: a Qwen2 with a value head, ``v_head.summary`` (Skywork-o1-Open-PRM).

It is a sequence classifier whose weights have other names, so vLLM's own adapter makes it one. A class, and not a converted
copy of the weights: nothing is written, a 7B model is not stored twice, and the directory stays the one that was named.
Imported in vLLM's processes only.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import torch
from vllm import ModelRegistry
from vllm.model_executor.models.adapters import as_seq_cls_model
from vllm.model_executor.models.qwen2 import Qwen2ForCausalLM

OLD_HEAD, NEW_HEAD = "v_head.summary.", "score."
LANGUAGE_HEAD = "lm_head."


class Qwen2ForPrmModel(as_seq_cls_model(Qwen2ForCausalLM)):  # type: ignore[misc]
    """A sequence classifier with one output and a bias, loaded from the weights of a value head."""

    def __init__(self, *, vllm_config: Any, prefix: str = "") -> None:
        vllm_config.model_config.hf_config.num_labels = 1
        super().__init__(vllm_config=vllm_config, prefix=prefix)

    def load_weights(self, weights: Iterable[tuple[str, torch.Tensor]]) -> Any:
        return super().load_weights(rename_head(weights))


def rename_head(weights: Iterable[tuple[str, torch.Tensor]]) -> Iterator[tuple[str, torch.Tensor]]:
    """Yield the weights with the value head's names changed to a classifier's, without the language head."""
    for name, weight in weights:
        if not name.startswith(LANGUAGE_HEAD):
            yield name.replace(OLD_HEAD, NEW_HEAD), weight


def register(architecture: str) -> None:
    """Make vLLM take this class for an architecture, in this process."""
    ModelRegistry.register_model(architecture, Qwen2ForPrmModel)
