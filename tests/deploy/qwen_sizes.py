"""The table of sizes in docs/cluster.md, by the estimator: ``python tests/deploy/qwen_sizes.py`` prints it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from actors.config import EngineConfig
from cluster.capacity.memory.estimate import serving_memory, training_memory
from cluster.capacity.memory.serving import cache_gib
from cluster.capacity.memory.shape import ModelShape
from train.config import TrainConfig

CONTEXT, SEQUENCES = 2048, 64
# Weights in millions, layers, width, feed-forward width, heads, KV heads, head size, vocabulary, whether embeddings are tied.
QWEN = {
    "0.5B": (494, 24, 896, 4864, 14, 2, 64, 151_936, True),
    "1.5B": (1_544, 28, 1536, 8960, 12, 2, 128, 151_936, True),
    "7B": (7_616, 28, 3584, 18_944, 28, 4, 128, 152_064, False),
    "14B": (14_770, 48, 5120, 13_824, 40, 8, 128, 152_064, False),
    "32B": (32_764, 64, 5120, 27_648, 40, 8, 128, 152_064, False),
    "72B": (72_706, 80, 8192, 29_568, 64, 8, 128, 152_064, False),
}
HEADER = (
    "| model | engine without cache | cache of 64 sequences | training on 1 GPU | on 8, ZeRO 3 | on 16, ZeRO 3 "
    "| on 8, optimizer offloaded | its host |",
    "|---|---|---|---|---|---|---|---|",
)


def shape(name: str) -> ModelShape:
    parameters, layers, hidden, intermediate, heads, kv_heads, head_dim, vocabulary, tied = QWEN[name]
    return ModelShape(
        parameters=parameters * 1_000_000,
        layers=layers,
        hidden=hidden,
        intermediate=intermediate,
        heads=heads,
        kv_heads=kv_heads,
        head_dim=head_dim,
        vocabulary=vocabulary,
        tied=tied,
        dtype="bfloat16",
    )


def training(name: str, gpus: int, zero_stage: int, offload: str = "none") -> tuple[float, float]:
    """Return what a training takes of each GPU, and of the memory of a host with eight of them (GiB)."""
    settings = TrainConfig.model_validate(
        {
            "zero_stage": zero_stage,
            "offload": offload,
            "gradient_checkpointing": True,
            "max_length": CONTEXT,
            "micro_batch_tokens": 8192,
            "batch_size": 128,
            "precision": "bf16",
        }
    )
    use = training_memory(shape(name), settings, workers=gpus, gpus=gpus)
    return use.per_gpu_gib, min(8, gpus) * use.per_host_gib


def rows() -> Iterator[str]:
    """Yield the lines of the table."""
    yield from HEADER
    for name in QWEN:
        engine = EngineConfig(gpus=1)
        empty = serving_memory(shape(name), engine, sequences=0, context=CONTEXT).per_gpu_gib
        cache = SEQUENCES * cache_gib(shape(name), engine, context=CONTEXT)
        offloaded = training(name, 8, 3, "optimizer")
        numbers = [empty, cache, training(name, 1, 1)[0], training(name, 8, 3)[0], training(name, 16, 3)[0], *offloaded]
        yield f"| {name} | {' | '.join(f'{number:,.0f}' if number >= 10 else f'{number:.1f}' for number in numbers)} |"


if __name__ == "__main__":
    print("\n".join(rows()))
