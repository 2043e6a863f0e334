"""Estimate the memory of one vLLM engine: weights, KV cache, the working memory of a forward pass, and its processes.

The KV cache is counted as vLLM counts it (vllm.v1.kv_cache_interface): a block of b tokens takes, a layer,
b * kv_heads * 2 * head_dim * bytes, and a layer with a sliding window keeps the window and the tokens of one pass.
"""

from __future__ import annotations

import math

from actors.config import EngineConfig
from cluster.capacity.memory.precision import served_bytes, weight_bytes
from cluster.capacity.memory.shape import ModelShape
from cluster.capacity.memory.use import MemoryUse, gib, on_gpu, on_host

BLOCK = 16  # tokens of a KV block on a GPU
FLOAT32 = 4  # bytes
LOGIT_COPIES = 3  # of a row of logits in float32 while tokens are drawn: scaled, sorted, as probabilities
# Measured: docs/memory.md.
PROCESSES_GIB = 2.3  # an engine's actor and its engine core, with vLLM and torch
CUDA_GIB = 2.0  # a GPU's context and kernels, and CUDA graphs; not measured


def serving_memory(
    shape: ModelShape, engine: EngineConfig, *, sequences: int, context: int, has_bf16: bool | None = None
) -> MemoryUse:
    """Return what one engine takes with so many sequences of ``context`` tokens in its KV cache.

    On a CPU the cache is ``kv_cache_gib``, whatever it is to hold: ``cache_gib`` says whether it can. Of a GPU vLLM takes the
    share ``gpu_memory_utilization`` (``memory_share``), and the cache gets what weights and working memory leave of it.

    Args:
        shape: of the model.
        engine: settings.
        sequences: that the KV cache holds at once.
        context: tokens of each.
        has_bf16: whether the processor computes in bfloat16; None: a GPU does, a CPU if this machine's does.
    """
    cards = engine.tensor_parallel if engine.num_gpus else 0
    element = served_bytes(shape, engine, cards > 0, has_bf16)
    weights = gib(weight_bytes(shape, engine, element))
    working = gib(working_bytes(shape, engine, element, context))
    if not cards:
        # vLLM's kernels for CPUs have the output layer in a layout of their own: an embedding that is one, too, is there twice.
        copied = gib(shape.embedding * element) if shape.tied else 0.0
        parts = {"weights": weights + copied, "KV cache": engine.kv_cache_gib, "activations": working}
        return on_host(parts | {"processes": PROCESSES_GIB})
    cache = sequences * cache_gib(shape, engine, context=context, has_bf16=has_bf16)
    parts = {"weights": weights / cards, "KV cache": cache, "activations": working / cards, "CUDA": CUDA_GIB}
    return on_gpu(parts, PROCESSES_GIB + (cards - 1) * PROCESSES_GIB / 2)


def cache_gib(shape: ModelShape, engine: EngineConfig, *, context: int, has_bf16: bool | None = None) -> float:
    """Return what one sequence of ``context`` tokens takes of the KV cache, of each GPU or of the host (GiB).

    Heads are shared out over the GPUs of an engine; where there are fewer heads, each GPU holds one.
    """
    cards = engine.tensor_parallel if engine.num_gpus else 0
    element = served_bytes(shape, engine, cards > 0, has_bf16)
    block = BLOCK if cards else engine.block_size
    heads = max(1, shape.kv_heads // max(1, cards))
    page = block * heads * 2 * shape.head_dim * element
    pages = (shape.layers - shape.sliding_layers) * math.ceil(context / block)
    if shape.sliding_layers:
        kept = min(context, shape.window - 1 + max(engine.max_batched_tokens, context if not cards else 0))
        pages += shape.sliding_layers * (math.ceil(kept / block) + 1)
    return gib(page * pages)


def working_bytes(shape: ModelShape, engine: EngineConfig, element: int, context: int) -> float:
    """Return the bytes of the largest forward pass: a layer's activations for all its tokens, and logits of its sequences."""
    tokens = max(engine.max_batched_tokens, context)
    layer = tokens * element * (3 * shape.intermediate + 4 * shape.hidden + 2 * shape.heads * shape.head_dim)
    logits = min(engine.max_num_seqs, tokens) * shape.vocabulary * (element + LOGIT_COPIES * FLOAT32)
    return max(layer, tokens * element * shape.hidden + logits)


def held_sequences(
    shape: ModelShape, engine: EngineConfig, card_gib: float, *, context: int, has_bf16: bool | None = None
) -> int:
    """Return how many sequences of ``context`` tokens the KV cache holds at once; negative where not even weights fit.

    ``card_gib``: memory of one GPU; without a meaning for an engine on a CPU.
    """
    of_a_sequence = cache_gib(shape, engine, context=context, has_bf16=has_bf16)
    if not engine.num_gpus:
        return math.floor(engine.kv_cache_gib / of_a_sequence)
    empty = serving_memory(shape, engine, sequences=0, context=context, has_bf16=has_bf16)
    return math.floor((engine.memory_share * card_gib - empty.per_gpu_gib) / of_a_sequence)
