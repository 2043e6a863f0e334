"""The commit is that of the checkout, or as the metadata of a submitted job says."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from cluster.host.ray_session import JOB_CONFIG
from cluster.run.source_state import git_state, job_metadata, source_state


def make_checkout(folder: Path) -> str:
    """Make a checkout with one commit and return the commit."""
    (folder / "a.py").write_text("x = 1\n")
    identity = ["-c", "user.name=n", "-c", "user.email=e@x"]
    for arguments in (["init", "-q"], ["add", "a.py"], [*identity, "commit", "-qm", "one"]):
        subprocess.run(["git", "-C", str(folder), *arguments], check=True)
    return subprocess.run(
        ["git", "-C", str(folder), "rev-parse", "HEAD"], capture_output=True, text=True
    ).stdout.strip()


def test_state_of_a_checkout_says_whether_files_differ(tmp_path: Path) -> None:
    commit = make_checkout(tmp_path)
    assert git_state(tmp_path) == (commit, False)
    (tmp_path / "a.py").write_text("x = 2\n")
    assert git_state(tmp_path) == (commit, True)


@pytest.mark.parametrize("dirty", [True, False])
def test_state_travels_with_a_job(dirty: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    metadata = {"job_submission_id": "j", **job_metadata("abc", dirty)}
    assert all(isinstance(value, str) for value in metadata.values()), "Ray takes text only"
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    monkeypatch.setenv(JOB_CONFIG, json.dumps({"metadata": metadata}))
    assert source_state(tmp_path) == ("abc", dirty)


def test_state_of_a_checkout_wins_over_that_of_the_job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commit = make_checkout(tmp_path)
    monkeypatch.setenv(JOB_CONFIG, json.dumps({"metadata": job_metadata("other", False)}))
    assert source_state(tmp_path) == (commit, False)


def test_state_is_unknown_when_nobody_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    monkeypatch.setenv(JOB_CONFIG, json.dumps({"metadata": None}))
    assert source_state(tmp_path) == (None, None)
    monkeypatch.delenv(JOB_CONFIG)
    assert source_state(tmp_path) == (None, None)
