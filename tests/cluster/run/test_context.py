"""Unexpected errors: recorded in a crash log and printed as one line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cluster import cli
from cluster.config.run_config import RunConfig
from cluster.run import context, preflight
from cluster.run.context import Invocation, UnexpectedCrash, open_context, record_crash
from search.errors import UserError
from search.problems.config import ProblemsConfig
from search.problems.decontaminate import Overlap
from search.problems.loading import ProblemSets


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


def test_set_that_cannot_be_reached_is_in_the_manifest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: object, **options: object) -> None:
        raise UserError("no Ray in this test")

    monkeypatch.setattr(preflight, "check_machine", lambda *arguments: None)
    monkeypatch.setattr(context.ray_session, "ray_session", refuse)
    sets = ProblemSets(
        train=(),
        validation=(),
        evaluation={},
        dropped={"train": (Overlap("t", "e", 1.0),), "validation": ()},
        readings={"train": "3 problems of 4 rows"},
        unreachable={"far": "me/mine[train]: no Hub"},
    )
    invocation = Invocation(
        command="raystar",
        config=RunConfig(name="x", problems=ProblemsConfig()),
        root=tmp_path / "x",
        address=None,
        problems=sets,
    )
    with pytest.raises(UserError, match="no Ray in this test"), open_context(invocation):
        pass
    assert json.loads((tmp_path / "x" / "manifest.json").read_text())["unreachable"] == dict(sets.unreachable)
    log = (tmp_path / "x" / "logs" / "raystar.log").read_text()
    assert "problems.train: 3 problems of 4 rows" in log
    assert "problems.train: 1 left out that a set that is only measured contains" in log
    assert "warning: problems.evaluation.far is left out" in log
