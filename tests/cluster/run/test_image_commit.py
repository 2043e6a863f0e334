"""The commit of a run in an image that deploy/docker built, which holds no checkout."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cluster.host.ray_session import JOB_CONFIG
from cluster.run.source_state import COMMIT, DIRTY, read_image_commit, source_state


@pytest.mark.parametrize(
    ("value", "state"), [("1a2b", ("1a2b", False)), ("1a2b-dirty", ("1a2b", True)), ("", (None, None))]
)
def test_image_says_its_commit_and_whether_files_differed(value: str, state: tuple[str | None, bool | None]) -> None:
    assert read_image_commit({"RAYSTAR_COMMIT": value}) == state


def test_metadata_of_a_job_count_before_the_image(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(JOB_CONFIG, raising=False)
    monkeypatch.setenv("RAYSTAR_COMMIT", "1a2b")
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert source_state(tmp_path) == ("1a2b", False)
    monkeypatch.setenv(JOB_CONFIG, json.dumps({"metadata": {COMMIT: "3c4d", DIRTY: "true"}}))
    assert source_state(tmp_path) == ("3c4d", True)
