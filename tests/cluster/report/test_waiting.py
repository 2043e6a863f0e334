"""The plot of what engines waited for, in the report of a run."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from cluster import report
from cluster.traces.waiting import PARTS, store_waiting
from tests.cluster.made_up_run import make
from tests.cluster.traces.made_up_trace import execute, generate, write_search

TITLE = "What the engines waited for"


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> str:
    root = make(tmp_path_factory.mktemp("runs") / "arithmetic", rounds=2)
    for number in (1, 2):
        search = root / "rounds" / f"r{number}" / "search"
        write_search(search, {"p1": (0, 4, [generate(0, 2), execute(2, 4)]), "p2": (0, 4, [generate(0, 4)])})
        store_waiting(search)
    report.write(root)
    return (root / report.HTML).read_text()


def test_report_has_no_plot_when_nothing_was_recorded(tmp_path: Path) -> None:
    root = make(tmp_path / "arithmetic", rounds=1)
    report.write(root)
    assert TITLE not in (root / report.HTML).read_text()


def test_report_plots_each_recorded_search(page: str) -> None:
    section = page[page.index(TITLE) : page.index("<h2>Models")]
    areas = re.findall(r'<polygon class="bar s(\d)" points="([^"]*)"><title>([^<]*)</title>', section)
    assert [name for _, _, name in areas] == ["in use: 75.0 %", "waited for programs: 25.0 %"] * 2
    assert {len(points.split()) for _, points, _ in areas} == {2 * PARTS}
    assert section.count("4 places (%)") == 2


def test_areas_lie_on_each_other(page: str) -> None:
    section = page[page.index(TITLE) : page.index("<h2>Models")]
    lower, upper = re.findall(r'<polygon class="bar s\d" points="([^"]*)"', section)[:2]
    tops = [float(point.split(",")[1]) for point in lower.split()][:PARTS]
    bottoms = [float(point.split(",")[1]) for point in upper.split()][PARTS:]
    assert bottoms == tops[::-1]
    assert tops[0] < tops[-1]  # all places in use at first, half of them at the end; y grows downwards


def test_table_has_the_shares_of_all_searches(page: str) -> None:
    section = page[page.index(TITLE) : page.index("<h2>Models")]
    rows = re.findall(r"<tr><td>(r\d/search)</td>(.*?)</tr>", section)
    assert [name for name, _ in rows] == ["r1/search", "r2/search"]
    assert re.findall(r"<td class=n>([^<]*)</td>", rows[0][1]) == ["2", "4 s", "75.0 %", "25.0 %", "–"]
