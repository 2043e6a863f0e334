"""Clusters and models of usual sizes, for which choices are argued."""

from __future__ import annotations

from typing import Any

from cluster.capacity.bundles import NodeSupply, Supply
from cluster.capacity.memory.estimate import ModelShape, shape_of_recipe, shape_of_size
from cluster.config.run_config import RunConfig
from cluster.models.size import ModelSize
from train.config import BasePolicySize


def node(name: str, cpus: float, gpus: float = 0, *, memory: float, card: float | None = None) -> NodeSupply:
    return NodeSupply(name=name, cpus=cpus, gpus=gpus, memory_gib=memory, is_head=name == "head", gpu_memory_gib=card)


HEAD = node("head", 8, memory=32)
H100S = [node(f"h100-{index}", 192, 8, memory=2048, card=80) for index in range(64)]

CLUSTERS = {
    "laptop": Supply(nodes=(node("head", 8, memory=24),)),
    "three hosts": Supply(nodes=(node("head", 6, memory=24), *(node(f"host-{i}", 6, memory=24) for i in (1, 2)))),
    "1 x 24": Supply(nodes=(node("head", 16, 1, memory=64, card=24),)),
    "1 x 80": Supply(nodes=(node("head", 24, 1, memory=256, card=80),)),
    "8 x 80": Supply(nodes=(node("head", 192, 8, memory=2048, card=80),)),
    "2 nodes of 4 x 80": Supply(nodes=(HEAD, *(node(f"a100-{i}", 64, 4, memory=512, card=80) for i in range(2)))),
    "64 nodes of 8 x 80": Supply(nodes=(HEAD, *H100S)),
    "up to 4 nodes of 8 x 80": Supply(
        nodes=(HEAD,), can_add=(*H100S[:4], *(node("cpu", 32, memory=128),) * 10), is_fixed=False, add_at_most=8
    ),
    "4 x 24 and 8 x 80": Supply(nodes=(HEAD, node("l4", 48, 4, memory=192, card=24), H100S[0])),
}

# Qwen2.5's sizes and the built-in policy.
MODELS = {
    "5M": shape_of_recipe(BasePolicySize(hidden_size=256, layers=6, heads=8, intermediate_size=704, vocabulary=800)),
    "0.5B": shape_of_size(
        ModelSize(layers=24, hidden=896, intermediate=4864, heads=14, kv_heads=2, vocabulary=151_936)
    ),
    "7B": shape_of_size(
        ModelSize(
            layers=28,
            hidden=3584,
            intermediate=18_944,
            heads=28,
            kv_heads=4,
            vocabulary=152_064,
            tied_embeddings=False,
        )
    ),
    "32B": shape_of_size(
        ModelSize(
            layers=64,
            hidden=5120,
            intermediate=27_648,
            heads=40,
            kv_heads=8,
            vocabulary=152_064,
            tied_embeddings=False,
        )
    ),
    "70B": shape_of_size(
        ModelSize(
            layers=80,
            hidden=8192,
            intermediate=29_568,
            heads=64,
            kv_heads=8,
            vocabulary=152_064,
            tied_embeddings=False,
        )
    ),
}


def run_config(**fields: Any) -> RunConfig:
    """Return a config of four rounds with the paper's batches, contexts of 4096 tokens and every number left open."""
    engine = {"max_model_len": 4096}
    paper = {"preset": "paper", "max_length": 2048}
    fields_of_all: dict[str, Any] = {
        "name": "r",
        "problems": {
            "train": {"name": "curriculum", "count": 2},
            "evaluation": {"heldout": {"name": "curriculum", "count": 1}},
        },
        "policy": {"path": "/models/policy", "engine": engine},
        "reward_model": {"engine": engine},
        "train": {"policy": paper, "reward_model": paper},
    }
    return RunConfig.model_validate({**fields_of_all, **fields})


def shapes_of(model: ModelShape) -> dict[str, ModelShape]:
    """Return the shape of a policy. A reward model that rounds train has the same."""
    return {"policy": model}
