"""The floating-point type that is chosen if the config has "auto"."""

from __future__ import annotations

import pytest
import torch

from train.config import TrainConfig
from train.trainer.models import native_precision, resolve_precision

CPU = torch.device("cpu")


@pytest.mark.parametrize(
    ("capabilities", "precision"),
    [({"avx512_bf16": True}, "bf16"), ({"amx_bf16": True}, "bf16"), ({"avx2": True}, "fp32")],
)
def test_cpu_trains_in_bf16_when_it_has_the_instructions(
    monkeypatch: pytest.MonkeyPatch, capabilities: dict[str, bool], precision: str
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": False, "amx_bf16": False} | capabilities)
    assert native_precision(CPU) == precision
    assert resolve_precision(TrainConfig(), CPU).precision == precision


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_precision_of_the_config_is_kept(precision: str) -> None:
    config = TrainConfig(precision=precision)  # type: ignore[arg-type]
    assert resolve_precision(config, CPU) is config
