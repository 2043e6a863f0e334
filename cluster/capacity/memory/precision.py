"""The type that a model is computed in, as engines and trainings choose it, found without torch."""

from __future__ import annotations

from typing import Literal

from actors.config import EngineConfig
from actors.engines.arguments import BF16_INSTRUCTIONS
from cluster.capacity.memory.shape import ELEMENT_BYTES, ModelShape
from cluster.host.machine import processor_flags

FP8_BYTES, HALF_BYTES, FLOAT32_BYTES = 1, 2, 4
# Bytes of a weight of the layers that a quantization covers: fp8, and 4-bit numbers with their scales.
QUANTIZED_BYTES = {"fp8": 1.0, "awq": 0.56, "gptq": 0.56, "bitsandbytes": 0.56}


def native_bf16(on_gpu: bool, has_bf16: bool | None = None) -> bool:
    """Return whether bfloat16 is computed natively; ``has_bf16`` None: a GPU does, a CPU if this machine's does."""
    if has_bf16 is not None:
        return has_bf16
    return on_gpu or bool(processor_flags().intersection(BF16_INSTRUCTIONS))


def training_bytes(
    precision: Literal["auto", "fp32", "bf16"], on_gpu: bool, has_bf16: bool | None = None
) -> Literal[2, 4]:
    """Return the bytes of a weight in training: 2 in bf16, 4 in fp32."""
    is_half = native_bf16(on_gpu, has_bf16) if precision == "auto" else precision == "bf16"
    return 2 if is_half else 4


def served_bytes(shape: ModelShape, engine: EngineConfig, on_gpu: bool, has_bf16: bool | None = None) -> int:
    """Return the bytes of an activation, and of a weight in full, in an engine (``actors.engines.arguments.resolve_dtype``)."""
    if engine.dtype != "auto":
        return ELEMENT_BYTES[engine.dtype]
    if engine.quantization is not None or shape.packed_bytes is not None:
        return HALF_BYTES
    lacks_bf16 = not on_gpu and not native_bf16(on_gpu, has_bf16)
    if lacks_bf16 and shape.dtype in ("auto", "bfloat16"):
        return FLOAT32_BYTES
    return ELEMENT_BYTES.get(shape.dtype, HALF_BYTES)


def weight_bytes(shape: ModelShape, engine: EngineConfig, element: int) -> float:
    """Return the bytes of a model's weights in an engine; a quantization leaves embedding and output layer in full."""
    if shape.packed_bytes is not None:
        return shape.packed_bytes
    if engine.quantization is None:
        return shape.parameters * element
    in_full = shape.embedding + shape.head
    return in_full * element + (shape.parameters - in_full) * QUANTIZED_BYTES[engine.quantization]
