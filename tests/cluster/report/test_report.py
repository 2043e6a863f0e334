"""Summary, table and report of a made-up run. The page shows the run's numbers and refers to no other file."""

from __future__ import annotations

import io
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from rich.console import Console

from cluster import report
from cluster.cli import main
from cluster.formatting import format_count, format_percent
from cluster.report import charts, summary
from cluster.run.manifest import read_manifest
from cluster.run.progress import Progress
from tests.cluster.made_up_run import GREEDY, make, measure


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = make(tmp_path_factory.mktemp("runs") / "arithmetic")
    report.write(root)
    return root


def test_summary_has_a_round_and_its_measures_by_split(root: Path) -> None:
    content = json.loads((root / "summary.json").read_text())
    assert set(content) == {"base", "rounds"}
    assert [entry["round"] for entry in content["rounds"]] == [1, 2, 3, 4]
    for entry in (content["base"], *content["rounds"]):
        assert set(entry) == {"round", "solved", "tokens", "seconds", "heldout", "deeper"}
        assert set(entry["heldout"]) == set(entry["deeper"]) == {"greedy", "majority", "best_of_n", "search"}
        greedy = entry["heldout"]["greedy"]
        assert set(greedy) == {"accuracy", "low", "high", "n", "tokens", "ties"}
        assert greedy["accuracy"] == pytest.approx(GREEDY[entry["round"]])
        assert 0 <= greedy["low"] < greedy["accuracy"] < greedy["high"] <= 1
    last = content["rounds"][-1]
    assert last["solved"] == 361 / 400
    assert last["tokens"] == 2_600_000 + 90_000 + 1_900_000
    assert last["seconds"] == 75 + 36 + 2 + 31 + 48 + 12 + 60
    assert content["base"]["solved"] is None
    assert content["base"]["heldout"]["search"] is None


def test_table_has_a_line_for_each_round_in_80_columns(root: Path) -> None:
    stream = io.StringIO()
    Console(file=stream, width=80).print(summary.table(summary.write(root)))
    lines = stream.getvalue().splitlines()
    assert max(len(line) for line in lines) <= 80
    assert len(lines) == 7
    assert lines[1].split()[:4] == ["base", "–", "41.0/22.7", "50.0/31.7"]
    assert " ".join(lines[5].split()) == "4 90.2 66.0/36.3 75.0/45.3 81.0/51.3 85.0/55.3 4.59M 4:24 min"


def test_page_names_measures_of_fewer_problems(root: Path, tmp_path: Path) -> None:
    assert "were measured on the first" not in (root / report.HTML).read_text()
    partly = make(tmp_path / "partly")
    where = partly / "rounds" / "r2" / "evaluate"
    known = summary.Evaluation.read(where / summary.EVALUATION)
    known.splits["deeper"]["search"] = measure(0.4, 30, 30 * 990)
    known.write(where)
    report.write(partly)
    assert "were measured on the first 30 of 300 (deeper) problems." in (partly / report.HTML).read_text()


def test_margins_of_search_over_other_methods(root: Path) -> None:
    assert summary.margins(summary.read_rounds(root)) == [
        "heldout: search +10.0 [+5.2, +14.7] points over majority",
        "heldout: search +4.0 [-0.3, +8.0] points over reward model best-of-N",
        "deeper: search +10.0 [+5.2, +14.7] points over majority",
        "deeper: search +4.0 [-0.3, +8.0] points over reward model best-of-N",
    ]
    assert "search +4.0 [-0.3, +8.0] points over reward model best-of-N" in (root / "report.html").read_text()


def test_weak_isolation_is_warned_of_on_terminal_and_page(tmp_path: Path) -> None:
    root = make(tmp_path / "weak", rounds=1)
    warning = "WARNING: model-written code runs below strict isolation: basic (seccomp); "
    for sandbox, is_warned in (("strict (Landlock, seccomp)", False), ("basic (seccomp)", True)):
        file = root / "manifest.json"
        file.write_text(read_manifest(file).with_fields({"sandbox": sandbox}).dump())
        stream = io.StringIO()
        with Progress(stream=stream) as progress:
            report.finish(root, progress)
        assert (warning in stream.getvalue()) is is_warned
        assert (warning in (root / "report.html").read_text().split("<h2")[0]) is is_warned


class TagChecker(HTMLParser):
    """Parser that fails on a tag closed out of order and collects addresses."""

    VOID = ("meta", "circle", "line", "rect", "polyline", "polygon", "br")

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.addresses += [value or "" for name, value in attrs if name in ("src", "href")]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.VOID:
            assert self.open.pop() == tag


def test_report_is_one_self_contained_page(root: Path) -> None:
    text = (root / "report.html").read_text()
    parser = TagChecker()
    parser.feed(text)
    assert parser.open == []
    assert parser.addresses == []
    assert "http" not in re.sub(r"<pre.*?</pre>", "", text, flags=re.DOTALL)
    assert "<script" not in text
    assert len(text) < 400_000


def test_report_shows_the_results(root: Path) -> None:
    text = (root / "report.html").read_text()
    for part in (
        "41.0 → 66.0 %",
        "90.2 %",
        "round 4, reward model best-of-N: 81.0 % (76.2 to 85.0), 300 problems, 1010 tokens a problem",
        "kept the old one",
        "greedy: 58.0 % → 63.0 %",
        "strict (Landlock, seccomp)",
        "code error",
        "3 pens &amp; 4 &lt;caps&gt;",
        "Step 3: N 9, Q +0.75, reward model +0.50",
        "rounds/r0/base/model",
        "round 2: train reward model",
        "83 %</td><td class=n>71 %</td><td class=n>–</td>",  # engines, the policy's prefix cache, no reward model
    ):
        assert part in text, part


def test_report_of_a_run_without_results(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = make(tmp_path / "begun", rounds=0)
    for stage in ("evaluate", "base"):
        for file in (root / "rounds" / "r0" / stage).iterdir():
            file.unlink()
    assert main(["report", str(root)]) == 0
    assert "report:" in capsys.readouterr().out
    assert json.loads((root / "summary.json").read_text())["rounds"] == []
    assert "None were counted." in (root / "report.html").read_text()


def test_report_command_writes_nothing_on_a_dry_run(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (root / "report.html").unlink()
    assert main(["report", str(root), "--dry-run"]) == 0
    assert not (root / "report.html").exists()
    assert main(["report", str(root)]) == 0
    assert (root / "report.html").exists()


def test_frame_maps_values_to_coordinates() -> None:
    axis = charts.Axis(low=0, high=10, ticks=())
    frame = charts._Frame(axis, axis, 520, 300)
    assert (frame.x(0), frame.x(10)) == (charts.LEFT, 520 - charts.RIGHT)
    assert (frame.y(0), frame.y(10)) == (300 - charts.BOTTOM, charts.TOP)
    assert charts.Axis(low=1, high=100, ticks=(), log=True).share(10) == pytest.approx(0.5)


def test_axes_have_round_ticks() -> None:
    linear = charts.axis([3.0, 87.0], "", lambda value: f"{value:g}")
    assert [label for _, label in linear.ticks] == ["0", "20", "40", "60", "80", "100"]
    log = charts.log_axis([130, 1010], "", lambda value: f"{value:g}")
    assert [label for _, label in log.ticks] == ["100", "200", "500", "1000", "2000"]
    assert [charts.round_up(value) for value in (0.9, 1.1, 2.2, 3, 7)] == [1, 2, 2.5, 5, 10]


def test_counts_and_percents_are_formatted() -> None:
    assert [format_count(value) for value in (950, 12_345, 4_560_000, 2.5e9)] == ["950", "12.3k", "4.56M", "2.50G"]
    assert [format_percent(value) for value in (0.4831, None)] == ["48.3", "–"]
