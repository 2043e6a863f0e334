"""What vLLM loads in each of its worker processes before the model: reloading of weights, and a model class that it lacks."""

from __future__ import annotations

from vllm import ModelRegistry

from actors.engines.weight_reload import WeightReload
from search.reward_models.skywork import ARCHITECTURE

ModelRegistry.register_model(ARCHITECTURE, "actors.engines.value_head:Qwen2ForPrmModel")  # imported if it is served


class WorkerExtension(WeightReload):
    """Mixed into vLLM's worker (``worker_extension_cls``)."""
