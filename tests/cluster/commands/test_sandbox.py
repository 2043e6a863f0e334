"""Test what ``raystar sandbox run`` prints."""

from __future__ import annotations

import argparse
import io
import sys
from pathlib import Path

import pytest

from cluster.commands.inspect import sandbox


def test_output_is_printed_when_the_terminal_is_ascii(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code = tmp_path / "step.py"
    code.write_text(r"print('é', '\ud83d', 10 ** 4400 > 1)", encoding="utf-8")
    overrides = ["--executor.required_tier=none", "--executor.heavy_modules=[]"]
    arguments = argparse.Namespace(file=code, after=[], json=False, dry_run=False, overrides=overrides)
    stdout = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", stdout)
    assert sandbox.run(arguments) == 0
    stdout.flush()
    assert stdout.buffer.getvalue().startswith(b"\\xe9 ? True\n[ok; isolation: ")  # type: ignore[attr-defined]
