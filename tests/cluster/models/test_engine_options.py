"""Options of an engine are checked against vLLM, the model and the device before anything starts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from actors.config import EngineConfig
from actors.engines.arguments import RAYSTAR_ARGUMENTS
from cluster.models import engine_options
from cluster.models.engine_options import check_engine, vllm_arguments, vllm_quantizations
from search.errors import UserError

AWQ = {"quant_method": "awq", "bits": 4, "group_size": 32, "zero_point": True}
GPTQ = {"quant_method": "gptq", "bits": 4, "group_size": 32, "desc_act": False, "sym": True}


def test_names_are_read_from_the_installed_vllm() -> None:
    assert {"model", "hf_overrides", "cpu_offload_gb", "enable_log_requests"} <= vllm_arguments()
    assert RAYSTAR_ARGUMENTS.keys() <= vllm_arguments()
    assert {"awq", "gptq", "fp8", "fp8_per_tensor"} <= vllm_quantizations()


def test_extra_arguments_are_those_of_vllm() -> None:
    check_engine("policy.engine", EngineConfig(extra={"hf_overrides": {"rope_theta": 1}, "seed": 3}), None)
    for name, message in (
        ("hf_overides", r"policy.engine.extra.hf_overides: vLLM has no such argument: did you mean hf_overrides\?"),
        ("max_model_len", "policy.engine.extra.max_model_len: RayStar sets this argument itself: use max_model_len"),
        ("revision", "write OWNER/NAME@REVISION for the model"),
    ):
        with pytest.raises(UserError, match=message):
            check_engine("policy.engine", EngineConfig(extra={name: 1}), None)


@pytest.mark.parametrize(
    ("options", "saved", "flags", "capabilities", "message"),
    [
        ({"quantization": "awq"}, AWQ, set(), [], None),
        ({"quantization": "awq"}, AWQ | {"bits": 8}, set(), [], "awq quantization of 8 bits needs a GPU"),
        ({}, GPTQ | {"bits": 8}, set(), [], "gptq quantization of 8 bits needs a GPU"),
        ({"quantization": "awq"}, None, set(), [], "are not quantized, and awq has to be done beforehand"),
        ({"quantization": "awq"}, GPTQ, set(), [], "are quantized by gptq, not by awq"),
        ({"quantization": "gptq", "dtype": "float32"}, GPTQ, set(), [], "computes in float16 or bfloat16"),
        ({"quantization": "fp8"}, None, set(), [], r"fp8 quantization needs a GPU, or a CPU with AMX \(amx_tile\)"),
        ({"quantization": "fp8"}, None, {"amx_tile"}, [], None),
        ({"quantization": "fp8", "gpus": 1}, None, set(), [90], None),
        ({"quantization": "fp8", "gpus": 1}, None, set(), [90, 70], "needs GPUs of compute capability 7.5, one here has 7"),
    ],
)  # fmt: skip
def test_quantization_must_fit_model_and_device(
    model: Path,
    monkeypatch: pytest.MonkeyPatch,
    options: dict[str, Any],
    saved: dict[str, Any] | None,
    flags: set[str],
    capabilities: list[int],
    message: str | None,
) -> None:
    monkeypatch.setattr(engine_options.machine, "processor_flags", lambda: frozenset(flags))
    monkeypatch.setattr(engine_options.machine, "compute_capabilities", lambda: capabilities)
    config = {"architectures": ["Qwen2ForCausalLM"]} | ({"quantization_config": saved} if saved else {})
    (model / "config.json").write_text(json.dumps(config))
    engine = EngineConfig(**{"gpus": 0, **options})
    if message is None:
        check_engine("policy.engine", engine, model)
    else:
        with pytest.raises(UserError, match=rf"^policy.engine.*{message}"):
            check_engine("policy.engine", engine, model)


def test_device_is_not_checked_before_it_is_chosen(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_options.machine, "processor_flags", frozenset)
    check_engine("policy.engine", EngineConfig(quantization="fp8"), model)
    with pytest.raises(UserError, match="fp8 quantization needs a GPU"):
        check_engine("policy.engine", EngineConfig(quantization="fp8", gpus=0), model)


def test_quantization_without_its_package_is_refused(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = EngineConfig(quantization="bitsandbytes", gpus=1)
    with pytest.raises(
        UserError, match=r"^policy.engine.quantization: the installed vLLM \(.*\) has no quantization bits"
    ):
        check_engine("policy.engine", engine, model)
    monkeypatch.setattr(engine_options, "vllm_quantizations", lambda: frozenset({"bitsandbytes"}))
    monkeypatch.setitem(engine_options.PACKAGES, "bitsandbytes", "a_package_that_is_not_there")
    with pytest.raises(UserError, match=r"bitsandbytes needs the package a_package_that_is_not_there: install it"):
        check_engine("policy.engine", engine, model)


@pytest.mark.parametrize(
    ("saved", "message"),
    [
        ("awq", "quantization_config in .* is damaged: it names no quant_method"),
        ({"bits": 4}, "quantization_config in .* is damaged: it names no quant_method"),
        ({"quant_method": "zip"}, r"the installed vLLM \(.*\) has no quantization zip"),
        ({"quant_method": "awq", "bits": 4, "zero_point": True}, "is damaged: awq needs group_size or q_group_size"),
        ({"quant_method": "gptq", "bits": 4, "group_size": 32, "sym": True}, "is damaged: gptq needs desc_act"),
    ],
)
def test_a_broken_quantization_config_is_refused(model: Path, saved: Any, message: str) -> None:
    (model / "config.json").write_text(
        json.dumps({"architectures": ["Qwen2ForCausalLM"], "quantization_config": saved})
    )
    with pytest.raises(UserError, match=f"^policy.engine: .*{message}"):
        check_engine("policy.engine", EngineConfig(), model)


def test_quantizations_are_known_by_either_spelling(model: Path) -> None:
    saved = {"quant_method": "compressed_tensors", "config_groups": {}}
    (model / "config.json").write_text(
        json.dumps({"architectures": ["Qwen2ForCausalLM"], "quantization_config": saved})
    )
    check_engine("policy.engine", EngineConfig(), model)
