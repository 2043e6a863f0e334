"""A comparison on the terminal, in 80 columns, and as a page that needs no other file."""

from __future__ import annotations

import io
from pathlib import Path

from rich.console import Console

from cluster.evaluation.stored_comparison import Comparison, ComparisonHeader
from cluster.report import comparison
from tests.cluster.evaluation.made_up_comparison import cell

ROWS = {
    "best": [1, 0, 1, 0],
    "weighted": [1, 1, 1, 0],
    "posterior": [1, 1, 0, 0],
    "majority": [1, 0, 0, 0],
    "coverage": [1] * 4,
}
VALIDATION = {"best": 0.3, "weighted": 0.5, "coverage": 0.9}
HEADER = ComparisonHeader(
    split="<heldout>",
    calibrated_on="validation",
    problems=4,
    budgets=(500, 2000),
    strategies=("best_of_n", "a-strategy-of-mine"),
    against="best_of_n",
    policy="/models/policy",
    reward_model=None,
)
RESULT = Comparison(
    header=HEADER,
    cells=(
        cell("best_of_n", 480, {**ROWS, "weighted": [1, 0, 0, 0]}, budget=500, validation=VALIDATION),
        cell("best_of_n", 2010, ROWS, budget=2000, validation=VALIDATION),
        cell("a-strategy-of-mine", 620, ROWS, budget=500, validation=VALIDATION),
        cell("a-strategy-of-mine", 900, ROWS, budget=2000, validation=VALIDATION),
    ),
)


def test_tables_fit_80_columns_and_mark_budgets_out_of_reach() -> None:
    out = io.StringIO()
    comparison.show(RESULT, Console(file=out, width=80))
    lines = [line.rstrip() for line in out.getvalue().splitlines()]
    assert max(map(len, lines)) <= 80
    rows = [line.split() for line in lines if line.startswith("a-strategy")]
    assert rows[0][1:] == ["500", ">", "620", "50.0", "75.0", "50.0", "25.0", "100.0"]
    assert rows[1][1:4] == ["2000", "<", "900"]
    assert rows[2][1:6] == ["500", ">", "620", "weighted", "75.0"] and rows[2][-3].startswith("+")


def test_page_has_a_chart_for_each_reading_and_no_references(tmp_path: Path) -> None:
    page = comparison.write(tmp_path, RESULT).read_text()
    assert page.count("<svg") == 5 and "&lt;heldout&gt;" in page and "http" not in page.replace("xmlns", "")
    assert "candidates 4" in page and "not chosen %" in page
