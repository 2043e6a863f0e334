"""Tiny models whose weights are quantized to 4 bits as GPTQ and AWQ save them, and the same weights in full."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

GROUP = 32  # inputs that share a scale
ZERO = 8  # the quantized value of 0
AWQ_ORDER = (0, 2, 4, 6, 1, 3, 5, 7)  # of the eight values in a word, by their place
CONFIGS: dict[str, dict[str, Any]] = {
    "gptq": {"quant_method": "gptq", "bits": 4, "group_size": GROUP, "desc_act": False, "sym": True},
    "awq": {"quant_method": "awq", "bits": 4, "group_size": GROUP, "zero_point": True, "version": "gemm"},
}


def quantize_model(full: Path, path: Path, method: str) -> tuple[Path, Path]:
    """Write the model in ``full`` with quantized layers, and with what they stand for. Return both directories."""
    from safetensors.torch import load_file, save_file

    quantized: dict[str, Any] = {}
    dequantized: dict[str, Any] = {}
    for name, weight in load_file(full / "model.safetensors").items():
        if weight.ndim == 2 and "layers" in name:
            values, scales, dequantized[name] = _round(weight)
            packed = _pack_gptq(values, scales) if method == "gptq" else _pack_awq(values, scales)
            quantized |= {f"{name.removesuffix('.weight')}.{part}": tensor for part, tensor in packed.items()}
        else:
            quantized[name], dequantized[name] = weight.half(), weight
    for directory, tensors in ((path / method, quantized), (path / f"{method}-in-full", dequantized)):
        directory.mkdir(parents=True)
        save_file(tensors, directory / "model.safetensors", metadata={"format": "pt"})
        for file in full.glob("*.json"):
            (directory / file.name).write_bytes(file.read_bytes())
    config = json.loads((full / "config.json").read_text())
    config |= {"dtype": "float16", "quantization_config": CONFIGS[method]}
    (path / method / "config.json").write_text(json.dumps(config))
    return path / method, path / f"{method}-in-full"


def _round(weight: Any) -> tuple[Any, Any, Any]:
    """Return values in 0..15 (inputs x outputs), scales (groups x outputs), and the weight (outputs x inputs) they stand for."""
    import torch

    groups = weight.t().float().reshape(-1, GROUP, weight.shape[0])
    scales = (groups.abs().amax(1) / 7).clamp(min=1e-5).half()
    rounded = (groups / scales.float()[:, None]).round().clamp(-8, 7)
    values = (rounded + ZERO).reshape(-1, weight.shape[0]).to(torch.int32)
    return values, scales, (rounded * scales.float()[:, None]).reshape(values.shape).t().contiguous()


def _pack_gptq(values: Any, scales: Any) -> dict[str, Any]:
    """Pack eight inputs in a word; zeros are stored less one."""
    import torch

    inputs, outputs = values.shape
    zeros = torch.full((inputs // GROUP, outputs // 8, 8), ZERO - 1, dtype=torch.int32)
    return {
        "qweight": _words(values.reshape(-1, 8, outputs).transpose(1, 2), range(8)),
        "qzeros": _words(zeros, range(8)),
        "scales": scales.contiguous(),
        "g_idx": (torch.arange(inputs) // GROUP).to(torch.int32),
    }


def _pack_awq(values: Any, scales: Any) -> dict[str, Any]:
    """Pack eight outputs in a word, in AWQ's order."""
    import torch

    inputs, outputs = values.shape
    zeros = torch.full((inputs // GROUP, outputs // 8, 8), ZERO, dtype=torch.int32)
    return {
        "qweight": _words(values.reshape(inputs, -1, 8), AWQ_ORDER),
        "qzeros": _words(zeros, AWQ_ORDER),
        "scales": scales.contiguous(),
    }


def _words(values: Any, order: Sequence[int]) -> Any:
    """Return words of eight values of 4 bits each along the last axis."""
    import torch

    return sum(values[..., index] << (4 * place) for place, index in enumerate(order)).to(torch.int32).contiguous()
