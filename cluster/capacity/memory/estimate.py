"""The one estimator of memory, for every plan: what an engine takes, what a training worker takes.

    shape.py, from config.json and weight headers, or a declared size
        ├──> serving.py   weights + KV cache + working memory
        └──> training.py  weights + gradients + optimizer (DeepSpeed's estimators) + activations.py
    suggestion.py         the smallest change that would fit

Nothing is loaded or started, and neither torch nor Ray is imported.
"""

from __future__ import annotations

from cluster.capacity.memory.serving import cache_gib, held_sequences, serving_memory
from cluster.capacity.memory.shape import (
    ModelShape,
    shape_of_directory,
    shape_of_model,
    shape_of_recipe,
    shape_of_size,
)
from cluster.capacity.memory.training import training_memory
from cluster.capacity.memory.use import MemoryUse

__all__ = [
    "MemoryUse",
    "ModelShape",
    "cache_gib",
    "held_sequences",
    "serving_memory",
    "shape_of_directory",
    "shape_of_model",
    "shape_of_recipe",
    "shape_of_size",
    "training_memory",
]
