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
from search.grading.equivalence import exact_verdict


@pytest.fixture
def pool() -> Iterator[AlgebraPool]:
    made = AlgebraPool(size=1)
    yield made
    made.stop()


ENDLESS = """
import sys
sys.path.insert(0, {root!r})
from search.grading.algebra import worker
worker.CPU_SECONDS = 0.1
compare = worker.compare
worker.compare = lambda *pair: compare(*pair) if pair[0].value != 1 else [0 for _ in iter(int, 1)]
worker.main()
"""


def test_endless_computation_is_cut_and_the_next_pair_compared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pool: AlgebraPool
) -> None:
    script = tmp_path / "child.py"
    script.write_text(ENDLESS.format(root=str(algebra.CHILD.parents[3])))
    monkeypatch.setattr(algebra, "CHILD", script)
    assert pool.equal(r"\ln 6", r"\ln 2 + \ln 3")
    assert not pool.equal("1", "2")
    assert pool.equal(r"\ln 10", r"\ln 2 + \ln 5")
    assert pool.counts == {"compared": 3, Cut.TIME: 1}


@pytest.mark.parametrize(
    ("gold", "answer"),
    [
        ("1", "10^{(5^{5^{5^{5^{5}}}})}"),
        ("3", r"10^{(5^{5^{5^{5^{5}}} \cdot \log_{10}(5)} - 4)}"),
        ("1", r"\sin(9^{9^{9}})"),
        ("1", r"1 + 10^{-300} \sin 1"),
        (r"2^{10^{300}}", r"4^{10^{300}/2} + 1"),
    ],
)
def test_values_beyond_evaluation_are_undecided_at_once(pool: AlgebraPool, gold: str, answer: str) -> None:
    assert not pool.equal(gold, answer)
    assert pool.counts == {"compared": 1, Cut.UNDECIDED: 1}


def test_power_with_too_many_digits_is_read_at_once() -> None:
    assert exact_verdict(r"\sqrt{2}^{10^{300}}", r"x^{10^{300}}") is not True
    assert exact_verdict(r"\sqrt{2}^{10^{300}}", r"\sqrt{2}^{10^{300}}") is True


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
