"""Which floating-point type a training computes in, where the config leaves it open. Knows processors, and no model."""

from __future__ import annotations

from typing import Literal

import torch
from torch import distributed

from train.config import TrainConfig

Precision = Literal["fp32", "bf16"]
BF16_INSTRUCTIONS = ("avx512_bf16", "amx_bf16")


def settled(config: TrainConfig, device: torch.device) -> TrainConfig:
    """The config with a precision that is not "auto". All workers of a process group get the same: that of rank 0."""
    if config.precision != "auto":
        return config
    agreed: list[Precision] = [natural(device)]
    if distributed.is_initialized():
        distributed.broadcast_object_list(agreed, src=0, device=device)
    return config.model_copy(update={"precision": agreed[0]})


def natural(device: torch.device) -> Precision:
    """bf16 where the device multiplies in it: elsewhere a product takes fifty times as long as in fp32 (docs/LOG.md)."""
    if device.type == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp32"
    capabilities = torch.cpu.get_capabilities()
    return "bf16" if any(capabilities.get(name) for name in BF16_INSTRUCTIONS) else "fp32"
