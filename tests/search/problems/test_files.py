"""Data files of every format are read, and a fault is named with its line."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow
import pytest
from pyarrow import parquet

from search.errors import UserError
from search.problems.config import ProblemSetConfig
from search.problems.files import file_rows
from search.problems.sources.base import LoadedProblems
from search.problems.sources.registry import load_problems

MARK = b"\xef\xbb\xbf"
ROWS = [
    {"question": "Two lines,\nand a comma?", "answer": "1"},
    {"question": "Ein Würfel, 5 €?", "answer": "1/2"},
]
PAIRS = [("Two lines,\nand a comma?", "1"), ("Ein Würfel, 5 €?", "1/2")]


def load(path: Path, **fields: object) -> LoadedProblems:
    return load_problems(ProblemSetConfig.model_validate({"name": str(path), **fields}))


def pairs(path: Path) -> list[tuple[str, str]]:
    return [(problem.question, problem.answer) for problem in load(path).problems]


def refusal(path: Path) -> str:
    with pytest.raises(UserError) as caught:
        load(path)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def encode(suffix: str) -> bytes:
    if suffix == ".csv":
        return 'question,answer\n"Two lines,\nand a comma?",1\n"Ein Würfel, 5 €?",1/2\n'.encode()
    if suffix == ".tsv":
        return 'question\tanswer\n"Two lines,\nand a comma?"\t1\nEin Würfel, 5 €?\t1/2\n'.encode()
    if suffix == ".json":
        return json.dumps(ROWS, indent=1, ensure_ascii=False).encode()
    return b"".join(json.dumps(row, ensure_ascii=False).encode() + b"\n" for row in ROWS)


@pytest.mark.parametrize("suffix", [".jsonl", ".ndjson", ".json", ".csv", ".tsv"])
@pytest.mark.parametrize("mark", [b"", MARK])
@pytest.mark.parametrize("line_end", [b"\n", b"\r\n"])
def test_text_file_is_read_whatever_its_line_ends(tmp_path: Path, suffix: str, mark: bytes, line_end: bytes) -> None:
    path = tmp_path / f"a{suffix}"
    path.write_bytes(mark + encode(suffix).replace(b"\n", line_end))
    assert pairs(path) == PAIRS


def test_parquet_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    parquet.write_table(pyarrow.Table.from_pylist([*ROWS, {"question": "q", "answer": None}]), path)
    assert refusal(path) == f"{path} row 2: field 'answer' must be a text or a number, not None"
    assert [problem.answer for problem in load(path, skip_bad_lines=True).problems] == ["1", "1/2"]
    path.write_bytes(b"PAR1 no")
    assert refusal(path).startswith(f"{path}: cannot be read as parquet")
    parquet.write_table(pyarrow.table({"question": [], "answer": []}), path)
    assert refusal(path) == f"{path}: the file has no rows; expected a question and an answer each"


def test_json_lists_and_lines_are_told_apart(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text(json.dumps({"version": 1, "data": ROWS}))
    assert pairs(path) == PAIRS
    path.write_text("\n".join(map(json.dumps, ROWS)))
    assert pairs(path) == PAIRS
    path.write_text('[\n{"question": "q", "answer": "1"},\n{"question"}\n]')
    assert refusal(path) == f"{path}:3: not JSON: Expecting ':' delimiter"
    path.write_text('[{"question": "q", "answer": "1"}, {"question": "r", "answer": ""}]')
    assert refusal(path) == f"{path} item 2: field 'answer' is empty"
    path.write_text("[]")
    assert refusal(path) == f"{path}: the list is empty; expected a question and an answer each"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('question,answer\n"a\nb",1\nc\n', ":4: 1 cells, but the first line names 2 columns"),
        ("question,answer\nq,1,2\n", ":2: 3 cells, but the first line names 2 columns"),
        ("question,answer\nq,\n", ":2: field 'answer' must be a text or a number, not None"),
        ('question,answer\nq,1\n"r,2\n', ":3: not CSV: unexpected end of data"),
        ("", ": the file is empty; expected CSV with a question and an answer each"),
    ],
)
def test_bad_csv_is_named_by_its_line(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "a.csv"
    path.write_text(text)
    assert refusal(path) == f"{path}{message}"


def test_csv_that_is_not_utf_8_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes("question,answer\nWürfel,1\n".encode("latin-1"))
    assert refusal(path).endswith("not UTF-8 text")


@pytest.mark.parametrize("suffix", [".jsonl", ".json", ".csv"])
def test_line_of_ten_megabytes_is_read(tmp_path: Path, suffix: str) -> None:
    path, trace = tmp_path / f"a{suffix}", "w" * 10_000_000
    rows = [{"question": "q", "answer": "1", "trace": trace}, {"question": "r", "answer": "2", "trace": ""}]
    if suffix == ".csv":
        path.write_text(f"question,answer,trace\nq,1,{trace}\nr,2,\n")
    else:
        path.write_text(json.dumps(rows) if suffix == ".json" else "\n".join(map(json.dumps, rows)))
    assert pairs(path) == [("q", "1"), ("r", "2")]


def test_question_of_ten_megabytes_is_refused_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text("\n".join(json.dumps({"question": "w" * size, "answer": "1"}) for size in (1, 10_000_000)))
    assert refusal(path) == (f"{path}:2: the question in field 'question' is 10000000 characters long, 100000 at most")
    assert len(load(path, skip_bad_lines=True).problems) == 1


def test_repeated_ids_are_refused_with_both_lines(tmp_path: Path) -> None:
    path, row = tmp_path / "a.jsonl", {"id": "x", "question": "q", "answer": "1"}
    for answer in ("1", "2"):
        path.write_text(f"{json.dumps(row)}\n{json.dumps({**row, 'answer': answer})}\n")
        assert refusal(path) == f"{path}:2: id 'x' was used before, at {path}:1; ids must differ"


def test_unknown_ending_is_read_as_json_lines(tmp_path: Path) -> None:
    path = tmp_path / "rows"
    path.write_bytes(encode(".jsonl"))
    assert [row.place for row in file_rows(path)] == [f"{path}:1", f"{path}:2"]
