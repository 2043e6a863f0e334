"""What a report says of a search with several trees a problem."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from cluster import report
from cluster.cli import main
from cluster.evaluation.records import EVALUATION, Evaluation, TreeCurve, TreePoint
from cluster.report import several_trees, summary
from cluster.report.searches import describe, terminal_table
from search.evaluation.confidence import Interval
from search.storage.tree_store import TreeWriter, worker_file
from tests.cluster.made_up_run import make
from tests.cluster.report.test_search_result import FACTS, make_tree


def point(k: int, majority: float) -> TreePoint:
    def share(mean: float) -> Interval:
        return Interval(mean=mean, low=mean - 0.05, high=mean + 0.04, n=300)

    readings = {"best": majority - 0.02, "weighted": majority - 0.01, "majority": majority, "coverage": majority + 0.2}
    return TreePoint(k=k, tokens=250.0 * k, accuracies={name: share(mean) for name, mean in readings.items()})


CURVE = TreeCurve(trees=4, per_tree=1, top=None, points=tuple(point(k, 0.5 + 0.03 * k) for k in (1, 2, 3, 4)))


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = make(tmp_path_factory.mktemp("runs") / "trees", rounds=2)
    folder = root / "rounds/r2/evaluate"
    replace(Evaluation.read(folder / EVALUATION), trees={"heldout": CURVE}).write(folder)
    report.write(root)
    return root


def test_line_has_every_reading_with_its_interval_and_tokens(root: Path) -> None:
    assert several_trees.lines(summary.read_rounds(root)) == [
        "heldout: search, 4 trees: best 60.0 [55.0, 64.0], weighted 61.0 [56.0, 65.0], majority 62.0 [57.0, 66.0], "
        "any correct 82.0 [77.0, 86.0]; 1000 tokens a problem"
    ]


def test_page_has_a_row_for_each_number_of_trees(root: Path) -> None:
    page = (root / report.HTML).read_text()
    assert "Several trees a problem, last round" in page
    for cells in (("1", "51.0 (46.0, 55.0)"), ("4", "60.0 (55.0, 64.0)")):
        assert all(f">{cell}</td>" in page for cell in cells)
    assert "majority of 3 of 4 trees: 59.0 (54.0, 63.0), 750 tokens" in page


def test_summary_has_all_trees_together_beside_the_methods(root: Path) -> None:
    entry = json.loads((root / report.SUMMARY).read_text())["rounds"][-1]
    together = entry["heldout"]["search_4_trees"]
    assert together["majority"] == {"accuracy": 0.62, "low": 0.57, "high": 0.66}
    assert together["tokens_a_problem"] == 1000
    assert "search_4_trees" not in entry["deeper"]


def test_report_of_one_tree_a_problem_says_nothing_of_several(tmp_path: Path) -> None:
    root = make(tmp_path / "one", rounds=1)
    report.write(root)
    assert several_trees.lines(summary.read_rounds(root)) == []
    assert "Several trees" not in (root / report.HTML).read_text()


def test_table_of_searches_counts_problems_and_not_trees(tmp_path: Path) -> None:
    facts = {**FACTS, "trees": 12, "trees_solved": 5, "problems_searched": 4, "problems_solved": 3}
    record = summary.StageRecord("search", tmp_path, facts)
    table = terminal_table((summary.RoundRecord(1, (record,)),))
    assert [list(column.cells) for column in table.columns][1:3] == [["4"], ["3 (75 %)"]]
    assert "12 trees, 5 of them solved" in list(describe(facts))
    assert not any("12 trees" in line for line in describe({**FACTS, "problems_searched": 4}))


@pytest.fixture
def stored(tmp_path: Path) -> Path:
    """Trees of two problems: three of "mixed", of which the second is solved, and one of "hard"."""
    with TreeWriter(worker_file(tmp_path / "trees", 0)) as writer:
        for number, (name, answer) in enumerate((("mixed", "9"), ("mixed", "7"), ("mixed", "8"), ("hard", "9"))):
            tree = make_tree(name, answer)
            tree.number = number if name == "mixed" else 0
            writer.append(tree)
    return tmp_path / "trees"


def test_show_draws_a_solved_tree_and_names_the_others(
    stored: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert main(["show", str(stored), "--problem", "mixed"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "mixed, tree 1: What is mixed?"
    assert lines[-3:] == ["tree 0: not solved", "tree 1: solved", "tree 2: not solved"]
    assert main(["show", str(stored), "--problem", "mixed", "--tree", "2"]) == 0
    assert capsys.readouterr().out.startswith("mixed, tree 2: What is mixed?")
    assert main(["show", str(stored)]) == 0
    assert "4 trees of 2 problems in ., 1 solved" in capsys.readouterr().out


def test_show_refuses_a_tree_that_is_not_there(stored: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show", str(stored), "--problem", "mixed", "--tree", "5"]) == 2
    assert "--tree: no tree 5 of problem mixed: one of 0, 1, 2" in capsys.readouterr().err
    assert main(["show", str(stored), "--tree", "1"]) == 2
    assert "--tree: 1 is the number of a tree of one problem: give --problem ID too" in capsys.readouterr().err
