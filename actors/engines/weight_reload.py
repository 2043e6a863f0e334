"""New weights for a running engine: which models can take another's place, and how vLLM's worker takes them in.

Knows model directories and, inside vLLM's own process, the layers that keep a packed copy of their weights.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from search.data import ModelRef

SHAPE_FILES = ("config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json")


def same_architecture(old: ModelRef, new: ModelRef) -> bool:
    """Whether an engine that serves ``old`` can take in ``new``: two directories that differ in weights alone."""
    directories = Path(old.path), Path(new.path)
    if old.role != new.role or not all((directory / "config.json").is_file() for directory in directories):
        return False
    return all(_content(directories[0] / name) == _content(directories[1] / name) for name in SHAPE_FILES)


def _content(file: Path) -> bytes | None:
    return file.read_bytes() if file.is_file() else None


class WeightReload:
    """Mixed into vLLM's worker (``worker_extension_cls``): one more method that an engine may call in all its processes.

    On a CPU vLLM 0.32 computes with packed copies of the weights and forgets to pack a tied output head again after
    ``reload_weights``: the head would go on with the old weights (docs/LOG.md).
    """

    def load_directory(self: Any, path: str) -> None:
        """Take in the weights of a model directory of the same shape as the one that is served."""
        from vllm.model_executor.layers.utils import dispatch_cpu_unquantized_gemm

        self.reload_weights(weights_path=path)
        for layer in self.model_runner.get_model().modules():
            if hasattr(layer, "cpu_linear") and layer.weight.numel():
                dispatch_cpu_unquantized_gemm(layer, remove_weight=False)
