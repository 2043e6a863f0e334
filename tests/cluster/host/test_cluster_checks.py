"""What nodes say of themselves becomes one list of checks: their number, what differs, and what is wrong where."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from cluster.host.cluster_checks import (
    NodeReport,
    check_count,
    code_digest,
    compare,
    look_at_node,
    merge,
    read_environment,
)
from cluster.host.doctor import Check, Level, ok, problem

REPORT = NodeReport(
    address="10.0.0.1",
    versions={"python": "3.11.9", "ray": "2.60.0"},
    code="abc",
    checks=(ok("memory", "8 GiB free"), ok("disk", "90 GiB free")),
    clock=1001.0,
    called=1000.0,
    answered=1002.0,
)
OTHER = replace(REPORT, address="10.0.0.2")


def by_name(checks: list[Check]) -> dict[str, Check]:
    return {check.name: check for check in checks}


def test_missing_node_is_a_problem() -> None:
    assert check_count([REPORT, OTHER], [], 2).level is Level.OK
    short = check_count([REPORT, OTHER], [], 3)
    assert (short.level, short.state) == (Level.PROBLEM, "2 of 3")
    assert "only 10.0.0.1, 10.0.0.2 joined" in short.remedy


def test_silent_node_is_a_problem_whatever_was_expected() -> None:
    silent = check_count([REPORT], ["10.0.0.2"], None)
    assert (silent.level, silent.state) == (Level.PROBLEM, "2")
    assert "no answer from 10.0.0.2" in silent.remedy


def test_nodes_that_differ_in_code_or_version_are_named() -> None:
    assert {check.level for check in compare([REPORT, OTHER])} == {Level.OK}
    stale = replace(OTHER, code="old", versions={"python": "3.11.9", "ray": "2.59.0", "vllm": "0.32.0"})
    checks = by_name(compare([REPORT, stale]))
    assert checks["code"].state == "abc on 10.0.0.1; old on 10.0.0.2"
    assert checks["vllm"].state == "none on 10.0.0.1; 0.32.0 on 10.0.0.2"
    assert {name for name, check in checks.items() if check.level is Level.PROBLEM} == {"code", "ray", "vllm"}


@pytest.mark.parametrize(("clock", "level"), [(1001.0, Level.OK), (1006.5, Level.OK), (990.0, Level.WARNING)])
def test_clock_may_differ_by_seconds(clock: float, level: Level) -> None:
    checks = by_name(compare([REPORT, replace(OTHER, clock=clock)]))
    assert checks["clocks"].level is level


def test_checks_of_nodes_are_merged_but_for_those_in_trouble() -> None:
    trouble = problem("disk", "1 GiB free", "make room")
    merged = merge([REPORT, replace(OTHER, checks=(ok("memory", "7 GiB free"), trouble))])
    assert [(check.name, check.level, check.state) for check in merged] == [
        ("memory", Level.OK, "8 GiB free … 7 GiB free (all 2 nodes)"),
        ("disk", Level.OK, "90 GiB free (10.0.0.1)"),
        ("disk", Level.PROBLEM, "1 GiB free (10.0.0.2)"),
    ]


def test_code_digest_changes_with_a_module(tmp_path: Path) -> None:
    (tmp_path / "search").mkdir()
    module = tmp_path / "search" / "a.py"
    module.write_text("x = 1\n")
    before = code_digest(tmp_path)
    (tmp_path / "search" / "notes.txt").write_text("no module")
    assert code_digest(tmp_path) == before
    module.write_text("x = 2\n")
    assert code_digest(tmp_path) != before


def test_environment_is_that_of_the_start_of_a_process() -> None:
    command = [sys.executable, "-c", "print('up', flush=True); input()"]
    pipe = subprocess.PIPE
    child = subprocess.Popen(command, stdin=pipe, stdout=pipe, env={**os.environ, "MARK": "a=b"})
    try:
        assert child.stdout is not None
        assert child.stdout.readline() == b"up\n"
        assert read_environment(child.pid)["MARK"] == "a=b"
    finally:
        child.communicate(b"\n", timeout=20)
    assert read_environment(child.pid) == {}


@pytest.mark.slow
def test_this_machine_reports_itself() -> None:
    report = look_at_node("10.0.0.1")
    assert report.versions["ray"]
    assert {"memory", "isolation", "commands", "token", "environment"} <= {check.name for check in report.checks}
