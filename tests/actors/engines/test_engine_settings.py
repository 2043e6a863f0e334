"""The settings of an engine before it starts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from actors.engines.base import resolve_dtype


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
