"""``raystar token``, ``cleanup`` and ``commit``: what they print, and that a dry run changes nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cluster.cli import main
from cluster.commands.nodes import cleanup
from cluster.host.remote import RemoteHost, RemoteResult
from cluster.run.source_state import COMMIT, DIRTY


@pytest.fixture
def token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "token"
    monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", str(path))
    monkeypatch.delenv("RAY_AUTH_MODE", raising=False)
    return path


def test_token_is_made_and_never_printed(token: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["token", "--dry-run", "h1"]) == 0
    assert not token.exists()
    assert "it is taken to h1" in capsys.readouterr().out
    assert main(["token"]) == 0
    shown = capsys.readouterr().out
    assert f"token: {token} (made)" in shown
    assert token.read_text() not in shown
    assert "start Ray with RAY_AUTH_MODE=token on every machine" in shown


def test_token_command_fails_when_a_host_does_not_answer(
    token: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    results = [RemoteResult(RemoteHost("h1"), 0, ""), RemoteResult(RemoteHost("h2"), 255, "No route")]
    monkeypatch.setattr("cluster.host.tokens.run_on_all", lambda hosts, command, text: results)
    assert main(["token", "h1", "h2"]) == 1
    assert capsys.readouterr().out.splitlines()[1:3] == ["h1: has it", "h2: FAILED: No route"]


def test_cleanup_of_hosts_runs_there(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    commands: list[Any] = []

    def run_on_all(hosts: list[RemoteHost], command: str, *, timeout_s: float) -> list[RemoteResult]:
        commands.append(command)
        return [RemoteResult(host, 0, "3 processes ended, 0 left") for host in hosts]

    monkeypatch.setattr(cleanup.remote, "run_on_all", run_on_all)
    monkeypatch.setattr(cleanup.leftovers, "end_leftovers", lambda: pytest.fail("this machine is left alone"))
    assert main(["cleanup", "h1", "h2"]) == 0
    assert capsys.readouterr().out.splitlines() == [f"h{n}: 3 processes ended, 0 left" for n in (1, 2)]
    assert commands == ["bash -lic 'raystar cleanup' 2> /dev/null"]


def test_cleanup_names_what_is_left(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cleanup.leftovers, "end_leftovers", lambda: (4, []))
    assert main(["cleanup"]) == 0
    assert capsys.readouterr().out == "4 processes ended, 0 left\n"


def test_doctor_asks_which_cluster(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    assert main(["doctor", "--cluster"]) == 2
    assert "--cluster: which one? give --address HOST:PORT" in capsys.readouterr().err
    assert main(["doctor", "--cluster", "--dry-run"]) == 0
    assert "doctor --cluster checks: nodes, code, versions" in capsys.readouterr().out


def test_commit_is_what_ray_takes_as_metadata(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["commit"]) == 0
    metadata = json.loads(capsys.readouterr().out)
    assert metadata.keys() == {COMMIT, DIRTY}
    assert len(metadata[COMMIT]) == 40
