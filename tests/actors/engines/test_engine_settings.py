"""The settings of an engine before it starts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from actors.config import EngineConfig
from actors.engines.arguments import RAYSTAR_ARGUMENTS, quantization_argument, resolve_dtype
from actors.engines.base import engine_arguments
from search.data import ModelRef
from tests.fakes.tiny_model import safetensors_bytes


@pytest.mark.parametrize(
    ("saved", "on_cpu", "has_bf16", "expected"),
    [
        ("bfloat16", True, True, "bfloat16"),
        ("bfloat16", True, False, "float32"),
        ("bfloat16", False, False, "bfloat16"),
        ("float32", True, True, "float32"),
        (None, True, True, "auto"),
        (None, True, False, "float32"),
    ],
)
def test_dtype_is_one_that_the_cpu_computes_in(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, saved: str | None, on_cpu: bool, has_bf16: bool, expected: str
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": has_bf16, "avx2": True})
    (tmp_path / "config.json").write_text(json.dumps({"dtype": saved} if saved else {}))
    assert resolve_dtype(tmp_path, on_cpu) == expected


@pytest.mark.parametrize(
    ("config", "weights", "expected"),
    [
        ({"torch_dtype": "torch.float16"}, None, "float16"),
        ({"text_config": {"dtype": "bfloat16"}}, None, "bfloat16"),
        ({}, safetensors_bytes({"w": 3}), "float32"),
    ],
)
def test_saved_dtype_is_that_of_config_or_weights(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, config: dict[str, object], weights: bytes | None, expected: str
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": True})
    (tmp_path / "config.json").write_text(json.dumps(config))
    if weights is not None:
        (tmp_path / "model.safetensors").write_bytes(weights)
    assert resolve_dtype(tmp_path, on_cpu=True) == expected


@pytest.mark.parametrize(
    ("saved", "has_bf16", "expected"),
    [
        ("float16", False, "float16"),
        ("bfloat16", False, "float16"),
        ("bfloat16", True, "bfloat16"),
        ("float32", True, "float16"),
    ],
)
def test_quantized_weights_are_computed_in_halves(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, saved: str, has_bf16: bool, expected: str
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": has_bf16})
    (tmp_path / "config.json").write_text(json.dumps({"dtype": saved}))
    assert resolve_dtype(tmp_path, on_cpu=True, quantization="awq") == expected


def test_quantization_is_named_as_vllm_does(tmp_path: Path) -> None:
    assert quantization_argument(tmp_path, None) == {}
    assert quantization_argument(tmp_path, "fp8") == {"quantization": "fp8_per_tensor"}  # while it is loaded
    (tmp_path / "config.json").write_text(json.dumps({"quantization_config": {"quant_method": "fp8"}}))
    assert quantization_argument(tmp_path, "fp8") == {"quantization": "fp8"}


@pytest.mark.parametrize("gpus", [0, 1])
def test_arguments_of_vllm_are_reserved_or_extra(tmp_path: Path, gpus: int) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"dtype": "float32", "max_position_embeddings": 4096}))
    config = EngineConfig(gpus=gpus, quantization="fp8", trust_remote_code=True, extra={"swap_space": 2})
    arguments = engine_arguments(ModelRef("policy", str(tmp_path)), config, "generate")
    assert arguments["trust_remote_code"] is True and arguments["dtype"] == "float16"
    assert arguments.pop("swap_space") == 2
    assert arguments.keys() - RAYSTAR_ARGUMENTS.keys() == set()


def test_engines_with_quantized_weights_are_replaced() -> None:
    assert EngineConfig().can_reload
    assert not EngineConfig(quantization="fp8").can_reload
