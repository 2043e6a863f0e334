"""Progress without a terminal: log lines with label, units, rate and time left."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

from cluster.formatting import format_duration, format_rate
from cluster.run.progress import Progress, Task, _new_bars


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


def test_estimate_stands_in_place_of_rate_and_time_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cluster.run.progress.monotonic", lambda: 160.0)
    task = Task("search", 8, done=1, started=100.0)
    task.estimate(None)
    assert task.line() == "search: 1/8, 12 %, time left not known yet"
    task.estimate(125.2)
    assert task.line() == "search: 1/8, 12 %, about 2:05 min left"
    task.update(8)
    assert task.line() == "search: 8/8, 100 %"


def test_phase_is_named_at_its_begin_and_end(tmp_path: Path) -> None:
    stream = io.StringIO()
    with Progress(stream=stream, log_file=tmp_path / "log") as progress, progress.phase("loading policy m on 1 engine"):
        assert stream.getvalue() == "loading policy m on 1 engine …\n"
    assert stream.getvalue().splitlines()[1] == "loading policy m on 1 engine: done, took 0 s"


def test_phase_says_how_long_it_has_taken_while_it_lasts(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    with Progress(stream=stream, every_s=0.02) as progress, progress.phase("loading"):
        monkeypatch.setattr(progress._tasks[0], "started", progress._tasks[0].started - 42)
        while stream.getvalue().count("\n") < 2:
            pass
    assert "loading, 42 s\n" in stream.getvalue()


def test_quiet_phase_is_a_line_only_if_it_lasted(monkeypatch: pytest.MonkeyPatch) -> None:
    stream, times = io.StringIO(), iter([0.0, 0.4, 10.0, 13.0])
    monkeypatch.setattr("cluster.run.progress.monotonic", lambda: next(times))
    with Progress(stream=stream) as progress:
        for name in ("short", "long"):
            with progress.phase(name, quiet=True):
                pass
    assert stream.getvalue() == "long: done, took 3 s\n"


def test_failed_phase_has_no_last_line() -> None:
    stream = io.StringIO()
    with Progress(stream=stream) as progress, pytest.raises(ValueError, match="no"), progress.phase("loading"):
        raise ValueError("no")
    assert stream.getvalue() == "loading …\n"


def test_bars_show_phase_and_estimate_in_80_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=True, width=80, color_system=None)
    bars = _new_bars(console)
    phase = bars.add_task("loading policy Qwen on 1 engine", total=None, note="", time_left="", is_phase=True)
    bars.add_task("search", total=8, completed=3, note="2 solved", time_left="about 2:05 min left", is_phase=False)
    bars.tasks[phase].start_time = bars.get_time() - 42
    console.print(bars)
    first, second, note = stream.getvalue().splitlines()
    assert first.rstrip().endswith("42 s") and "?" not in first
    assert "3/8" in second and second.rstrip().endswith("about 2:05 min left")
    assert note.strip() == "2 solved"
    assert max(map(len, (first, second, note))) <= 80


def test_rates_and_durations_are_formatted() -> None:
    assert [format_rate(value) for value in (12.34, 0.5, 0.001, 0, None)] == ["12.3/s", "30.0/min", "3.6/h", "", ""]
    assert [format_duration(value) for value in (0.4, 59.4, 185, 3725)] == ["0 s", "59 s", "3:05 min", "1:02 h"]
