"""Load new weights into a running engine."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from search.data import ModelRef

SHAPE_FILES = ("config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json")


def same_architecture(old: ModelRef, new: ModelRef) -> bool:
    """Return whether two model directories of one role differ in nothing but weights."""
    old_directory, new_directory = Path(old.path), Path(new.path)
    has_configs = all((directory / "config.json").is_file() for directory in (old_directory, new_directory))
    if old.role != new.role or not has_configs:
        return False
    return all(_content(old_directory / name) == _content(new_directory / name) for name in SHAPE_FILES)


def _content(file: Path) -> bytes | None:
    return file.read_bytes() if file.is_file() else None


class WeightReload:
    """Mixed into vLLM's worker (``worker_extension_cls``): adds a method that the engine calls in all its processes.

    On a CPU vLLM 0.32 computes with packed copies of the weights. ``reload_weights`` does not pack a tied output head
    again, which would go on with the old weights (docs/LOG.md).
    """

    def load_directory(self: Any, path: str) -> None:
        """Load the weights of a model directory of the same architecture as the one served."""
        from vllm.model_executor.layers.utils import dispatch_cpu_unquantized_gemm

        self.reload_weights(weights_path=path)
        for layer in self.model_runner.get_model().modules():
            if hasattr(layer, "cpu_linear") and layer.weight.numel():
                dispatch_cpu_unquantized_gemm(layer, remove_weight=False)
