"""The boundary of the program: what an unexpected error leaves, and what passes through."""

from __future__ import annotations

from pathlib import Path

import pytest

from cluster import cli
from cluster.run.context import Crashed, crashes
from search.errors import UserError


def test_an_unexpected_error_is_written_down_and_pointed_at(tmp_path: Path) -> None:
    message = r"unexpected ZeroDivisionError: division by zero; the traceback is in .*\.log"
    with pytest.raises(Crashed, match=message), crashes(tmp_path):
        _ = 1 / 0
    (log,) = tmp_path.glob("crash-*.log")
    assert "Traceback" in log.read_text()
    assert "test_context.py" in log.read_text()


@pytest.mark.parametrize("error", [UserError("bad"), KeyboardInterrupt()])
def test_expected_ends_pass_through(tmp_path: Path, error: BaseException) -> None:
    with pytest.raises(type(error)), crashes(tmp_path):
        raise error
    assert list(tmp_path.iterdir()) == []


def test_a_crash_is_one_line_and_exit_code_1(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def crash(_: object) -> int:
        raise Crashed("unexpected X: y; the traceback is in z")

    monkeypatch.setattr(cli.doctor, "run", crash)
    assert cli.main(["doctor"]) == 1
    assert capsys.readouterr().err == "raystar: unexpected X: y; the traceback is in z\n"
