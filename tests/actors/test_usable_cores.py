"""Cores that a process may keep busy, by made-up control groups."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from actors.sandbox.config import STEPS_PER_CORE, ExecutorConfig
from actors.usable_cores import cpu_quota, usable_cores

SEEN = len(os.sched_getaffinity(0))


def second_version(folder: Path, text: str) -> Path:
    (folder / "cpu.max").write_text(text)
    return folder


def first_version(folder: Path, quota: str, period: str) -> Path:
    (folder / "cpu").mkdir()
    (folder / "cpu" / "cpu.cfs_quota_us").write_text(quota)
    (folder / "cpu" / "cpu.cfs_period_us").write_text(period)
    return folder


@pytest.mark.parametrize(
    ("text", "quota"), [("max 100000\n", None), ("1600000 100000\n", 16.0), ("50000 100000\n", 0.5)]
)
def test_quota_is_read_in_cores(text: str, quota: float | None, tmp_path: Path) -> None:
    assert cpu_quota(second_version(tmp_path, text)) == quota


@pytest.mark.parametrize(("quota", "cores"), [("-1\n", None), ("250000\n", 2.5)])
def test_quota_of_the_first_version_is_read(quota: str, cores: float | None, tmp_path: Path) -> None:
    assert cpu_quota(first_version(tmp_path, quota, "100000\n")) == cores


def test_cores_are_those_of_the_affinity_without_a_quota(tmp_path: Path) -> None:
    assert usable_cores(tmp_path) == SEEN
    assert usable_cores(second_version(tmp_path, f"{SEEN + 1}00000 100000")) == SEEN


def test_cores_are_the_quota_where_it_is_less(tmp_path: Path) -> None:
    assert usable_cores(second_version(tmp_path, "50000 100000")) == 1


def test_executor_runs_two_steps_a_core_of_its_container(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("actors.sandbox.config.usable_cores", lambda: 3)
    assert ExecutorConfig().limits().concurrency == 3 * STEPS_PER_CORE
    assert ExecutorConfig(concurrency=5).limits().concurrency == 5
