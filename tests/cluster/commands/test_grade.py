"""``raystar grade``: verdicts over a file, exit codes, and one line for bad input."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cluster.cli import main


def write(path: Path, *rows: object) -> str:
    path.write_text("".join(f"{row if isinstance(row, str) else json.dumps(row)}\n" for row in rows), encoding="utf-8")
    return str(path)


def test_agreement_exits_0(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [
        {"gold": "1/2", "answer": "0.5", "equal": True},
        {"gold": "1", "answer": 2, "equal": False},
        {"gold": "3", "answer": "3"},
    ]
    assert main(["grade", write(tmp_path / "f.jsonl", *rows)]) == 0
    assert capsys.readouterr().out == "3 rows, 3 as expected, 0 disagreements\n"


def test_disagreement_exits_1_and_names_the_kinds(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = write(
        tmp_path / "f.jsonl", {"id": "r7", "gold": "(1, 2)", "answer": "\\{1,2\\}"}, {"gold": "1", "answer": "1"}
    )
    assert main(["grade", file]) == 1
    out = capsys.readouterr().out.splitlines()
    assert out == [
        "r7: unequal (expected equal): reference '(1, 2)' is tuple (1,2); answer '\\\\{1,2\\\\}' is set {1,2}",
        "2 rows, 1 as expected, 1 disagreements",
    ]


def test_explain_shows_every_row(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = write(tmp_path / "f.jsonl", {"gold": "\\ln 6", "answer": "\\ln 2+\\ln 3"})
    assert main(["grade", file, "--explain"]) == 0
    assert capsys.readouterr().out.startswith(f"{file}:1: equal, by algebra: reference ")


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("{", ":1 is not JSON"), ("[]", ":1 must be a JSON object"), ('{"gold": "1"}',
        ":1: field 'answer' must be a text or a number"),
        ('{"gold": "1", "answer": "1", "equal": 1}', ":1: field 'equal' must be true or false"), ("", "has no rows"),
    ],
)  # fmt: skip
def test_unreadable_file_exits_2(tmp_path: Path, capsys: pytest.CaptureFixture[str], row: str, message: str) -> None:
    assert main(["grade", write(tmp_path / "f.jsonl", row)]) == 2
    assert message in capsys.readouterr().err


def test_missing_file_exits_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["grade", "none.jsonl"]) == 2
    assert capsys.readouterr().err.startswith("raystar: cannot read none.jsonl")
