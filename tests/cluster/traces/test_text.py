"""Traces in the terminal: at most 80 columns, whatever the numbers."""

from __future__ import annotations

from pathlib import Path

from cluster.traces.spans import read_trace
from cluster.traces.text import bar, describe_waiting, format_short, plain, slowest_lines, strip, summary_lines
from cluster.traces.waiting import measure_waiting
from cluster.traces.waterfall import waterfall
from search.concurrency.tracing import Activity
from tests.cluster.traces.made_up_trace import Row, execute, generate, queue, score, write_search

ROWS: list[Row] = [generate(0, 2), execute(2, 3), score(3, 3.5), queue(3.5, 3.6), (Activity.SELECT, 3.6, 3.600002, {})]


def test_summary_names_what_the_engines_waited_for(tmp_path: Path) -> None:
    write_search(tmp_path, {"p1": (0, 4, ROWS), "p2": (0, 4, [generate(0, 4)])}, reward_model_places=8)
    trace = read_trace(tmp_path)
    waiting = measure_waiting(trace)
    assert waiting is not None
    lines = list(summary_lines("r1/search", trace, waiting))
    assert lines[0] == "r1/search: 2 trees (all) in 4 s"
    assert "the policy engines' 4 places for sequences" in lines
    (used,) = [line for line in lines if line.startswith("  in use ")]
    assert used.split()[:4] == ["in", "use", "75.0", "%"]
    assert any(line.split()[:3] == ["waited", "for", "programs"] for line in lines)
    (generated,) = [line for line in lines if line.startswith("  generate")]
    assert generated.split() == ["generate", "2", "6.0", "3.00", "s", "4.00", "s"]
    assert max(map(len, lines)) <= 80
    assert describe_waiting(waiting).startswith("policy engines in use 75 %, waited for programs 12 %")


def test_lines_fit_80_columns_when_numbers_are_large(tmp_path: Path) -> None:
    trees = {f"a-problem-with-a-long-name-{n}": (0.0, 90_000.0, [generate(0, 90_000, 10**6)]) for n in range(7)}
    write_search(tmp_path, trees, places=10**7, share=0.015)
    trace = read_trace(tmp_path)
    waiting = measure_waiting(trace)
    assert waiting is not None
    names = {name: str(trace.root(name).attributes["problem"]) for name in trace.trees}
    lines = [*summary_lines("r1/evaluate/heldout/search", trace, waiting), *slowest_lines(trace, names)]
    assert max(map(len, lines)) <= 80
    assert "7 trees (1.5 % of them)" in lines[0]


def test_slowest_trees_say_what_they_spent_their_time_on(tmp_path: Path) -> None:
    write_search(tmp_path, {"p1": (0, 4, ROWS), "p2": (0, 1, [generate(0, 1)])})
    trace = read_trace(tmp_path)
    names = {name: str(trace.root(name).attributes["problem"]) for name in trace.trees}
    *_, first, second = slowest_lines(trace, names)
    assert first.split() == ["p1", "4.00", "50", "%", "25", "%", "12", "%", "10", "%"]
    assert second.split()[:2] == ["p2", "1.00"]


def test_waterfall_shows_each_span_in_its_place(tmp_path: Path) -> None:
    write_search(tmp_path, {"p1": (0, 4, ROWS)})
    (spans,) = read_trace(tmp_path).trees.values()
    head, tree, first, second, *_ = waterfall(spans, 60)
    assert head.split() == ["0", "4.00", "s"]
    assert tree.split()[:3] == ["tree", "4.00", "s"]
    assert first == f"{'  generate policy-0':<26}{'2.00 s':>10}  {'█' * 21}"
    assert second == f"{'  execute executor-0':<26}{'1.00 s':>10}  {' ' * 21}{'█' * 11}"
    assert max(map(len, waterfall(spans, 60))) <= 80


def test_waterfall_says_how_many_spans_it_leaves_out(tmp_path: Path) -> None:
    write_search(tmp_path, {"p1": (0, 4, ROWS)})
    (spans,) = read_trace(tmp_path).trees.values()
    *shown, rest = waterfall(spans, 2)
    assert len(shown) == 3
    assert rest == "… 4 more spans: --lines 6 draws all"


def test_bars_and_strips_by_hand() -> None:
    assert (bar(0.5, 4), bar(0.0, 4), bar(0.28, 4)) == ("██", "", "█▏")
    assert strip([0, 0.5, 1.0], 3) == " ▄█"
    assert strip([0, 1.0, 1.0, 1.0], 2) == "▄█"
    assert plain("█▌ ▃") == "## -"


def test_short_times_by_hand() -> None:
    assert [format_short(s) for s in (0.0000123, 0.0034, 1.254)] == ["12 us", "3.4 ms", "1.25 s"]
