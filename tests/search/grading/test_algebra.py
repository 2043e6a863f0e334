"""Algebra in child processes: limits, counts, launchers, and failures that are no verdicts."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO

import pytest

from search.grading import GraderUnavailable
from search.grading.algebra import pool as algebra
from search.grading.algebra.pool import AlgebraPool, Cut, launch


@pytest.fixture
def pool() -> Iterator[AlgebraPool]:
    made = AlgebraPool(size=1)
    yield made
    made.stop()


def test_endless_computation_is_cut_and_the_next_pair_compared(pool: AlgebraPool) -> None:
    assert pool.equal(r"\ln 6", r"\ln 2 + \ln 3")
    assert not pool.equal("1", "10^{(5^{5^{5^{5^{5}}}})}")
    assert pool.equal(r"\ln 10", r"\ln 2 + \ln 5")
    assert pool.counts["compared"] == 3
    assert sum(pool.counts[cut] for cut in Cut) == 1


def test_undecided_pair_is_unequal_and_counted(pool: AlgebraPool) -> None:
    assert not pool.equal("x", r"\gcd(x, y)")
    assert pool.counts[Cut.UNDECIDED] == 1


def test_child_that_cannot_start_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = tmp_path / "child.py"
    script.write_text("raise ImportError('no such algebra')\n")
    monkeypatch.setattr(algebra, "CHILD", script)
    with pytest.raises(GraderUnavailable, match="ImportError: no such algebra"):
        AlgebraPool().equal("x", "y")


def test_children_that_keep_dying_are_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = tmp_path / "child.py"
    script.write_text("print('ready', flush=True); input()\n")
    monkeypatch.setattr(algebra, "CHILD", script)
    dying = AlgebraPool()
    with pytest.raises(GraderUnavailable, match="died 3 times in a row"):
        for i in range(3):
            dying.equal("x", f"y+{i}")


def test_killed_child_is_replaced(pool: AlgebraPool) -> None:
    assert pool.equal(r"\ln 6", r"\ln 2 + \ln 3")
    os.kill(pool._idle[0]._process.pid, 9)
    pool._idle[0]._process.wait()
    assert pool.equal(r"\ln 6", r"\ln 2 + \ln 3")
    assert pool.counts[Cut.CRASH] == 0


def test_launcher_starts_the_children() -> None:
    commands: list[Sequence[str]] = []

    def launcher(command: Sequence[str], errors: IO[bytes]) -> subprocess.Popen[bytes]:
        commands.append(command)
        return launch(command, errors)

    algebra.use_launcher(launcher)
    try:
        assert algebra.pool().equal(r"\sin(2x)", r"2\sin x\cos x")
        assert len(commands) == 1 and commands[0][-1].endswith("worker.py")
    finally:
        algebra.use_launcher(launch)
