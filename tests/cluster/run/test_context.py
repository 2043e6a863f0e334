"""Unexpected errors: recorded in a crash log and printed as one line."""

from __future__ import annotations

from pathlib import Path

import pytest

from cluster import cli
from cluster.run.context import UnexpectedCrash, record_crash
from search.errors import UserError


def test_unexpected_error_is_recorded_in_a_crash_log(tmp_path: Path) -> None:
    message = r"unexpected ZeroDivisionError: division by zero; the traceback is in .*\.log"
    with pytest.raises(UnexpectedCrash, match=message), record_crash(tmp_path):
        _ = 1 / 0
    (log,) = tmp_path.glob("crash-*.log")
    assert "Traceback" in log.read_text()
    assert "test_context.py" in log.read_text()


@pytest.mark.parametrize("error", [UserError("bad"), KeyboardInterrupt()])
def test_user_error_and_interrupt_pass_through(tmp_path: Path, error: BaseException) -> None:
    with pytest.raises(type(error)), record_crash(tmp_path):
        raise error
    assert list(tmp_path.iterdir()) == []


def test_crash_prints_one_line_and_exits_with_1(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def crash(_: object) -> int:
        raise UnexpectedCrash("unexpected X: y; the traceback is in z")

    monkeypatch.setattr(cli.doctor, "run", crash)
    assert cli.main(["doctor"]) == 1
    assert capsys.readouterr().err == "raystar: unexpected X: y; the traceback is in z\n"
