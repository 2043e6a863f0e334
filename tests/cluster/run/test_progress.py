"""Progress without a terminal: log lines with label, units, rate and time left."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from cluster.formatting import format_duration, format_rate
from cluster.run.progress import Progress, Task


def test_log_lines_reach_stream_and_file(tmp_path: Path) -> None:
    stream = io.StringIO()
    with Progress(stream=stream, log_file=tmp_path / "log") as progress:
        assert not progress.live
        with progress.task("search r1", 10, done=4) as task:
            task.advance(5)
            task.advance(note="solved 3")
        progress.log("done [bold]")
    lines = stream.getvalue().splitlines()
    assert lines[0].startswith("search r1: 10/10, 100 %, ")
    assert "solved 3" in lines[0] and "took 0 s" in lines[0]
    assert lines[1] == "done [bold]"
    assert [line[20:] for line in (tmp_path / "log").read_text().splitlines()] == lines


def test_running_task_logs_at_intervals() -> None:
    stream = io.StringIO()
    with Progress(stream=stream, every_s=0.02) as progress, progress.task("slow") as task:
        while stream.getvalue().count("\n") < 2:
            task.update(7)
    assert "slow: 7" in stream.getvalue()


def test_rate_excludes_units_of_an_earlier_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cluster.run.progress.monotonic", lambda: 110.0)
    task = Task("x", 100, done=60, started=100.0, resumed_at=40)
    assert task.line() == "x: 60/100, 60 %, 2.0/s, 20 s left"


def test_time_left_is_hidden_for_the_first_few_units(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cluster.run.progress.monotonic", lambda: 160.0)
    assert Task("trees", 400, done=2, started=100.0).line() == "trees: 2/400, 0 %, 2.0/min"
    assert Task("trees", 400, done=20, started=100.0).line() == "trees: 20/400, 5 %, 20.0/min, 19:00 min left"


def test_rates_and_durations_are_formatted() -> None:
    assert [format_rate(value) for value in (12.34, 0.5, 0.001, 0, None)] == ["12.3/s", "30.0/min", "3.6/h", "", ""]
    assert [format_duration(value) for value in (0.4, 59.4, 185, 3725)] == ["0 s", "59 s", "3:05 min", "1:02 h"]
