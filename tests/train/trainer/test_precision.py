"""Which floating-point type is chosen where the config leaves it open."""

from __future__ import annotations

import pytest
import torch

from train.config import TrainConfig
from train.trainer.models import natural, settled

CPU = torch.device("cpu")


@pytest.mark.parametrize(
    ("has", "chosen"), [({"avx512_bf16": True}, "bf16"), ({"amx_bf16": True}, "bf16"), ({"avx2": True}, "fp32")]
)
def test_a_cpu_trains_in_what_it_computes_in(
    monkeypatch: pytest.MonkeyPatch, has: dict[str, bool], chosen: str
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": False, "amx_bf16": False} | has)
    assert natural(CPU) == chosen
    assert settled(TrainConfig(), CPU).precision == chosen


@pytest.mark.parametrize("asked", ["fp32", "bf16"])
def test_what_is_asked_for_stays(asked: str) -> None:
    config = TrainConfig(precision=asked)  # type: ignore[arg-type]
    assert settled(config, CPU) is config
