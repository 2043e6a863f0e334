"""Test what ``raystar trace`` prints, writes and refuses."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import pytest

from cluster.cli import main
from tests.cluster.traces.made_up_trace import execute, generate, write_search


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "arithmetic"
    trees = {"train-1": (0, 4, [generate(0, 2), execute(2, 3)]), "train-2": (0, 1, [generate(0, 1)])}
    write_search(root / "rounds" / "r1" / "search", trees)
    write_search(root / "rounds" / "r2" / "search", {"train-9": (0, 1, [generate(0, 1)])})
    return root


def test_trace_sums_up_the_last_search(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["trace", str(root)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "r2/search: 1 trees (all) in 1 s"
    assert max(map(len, lines)) <= 80
    assert main(["trace", str(root), "--stage", "r1/search"]) == 0
    assert "train-1" in capsys.readouterr().out


def test_trace_draws_the_spans_of_a_tree(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["trace", str(root), "--stage", "r1/search", "--problem", "train-1"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "r1/search, tree train-1: 3 spans"
    assert [line.split()[0] for line in lines[2:]] == ["tree", "generate", "execute"]


def test_trace_exports_one_tree(root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = tmp_path / "trace.json"
    options = ["--stage", "r1/search", "--problem", "train-2", "--export", str(output)]
    assert main(["trace", str(root), *options]) == 0
    assert capsys.readouterr().out == f"2 spans of r1/search: {output}\n"
    (part,) = json.loads(output.read_text())["resourceSpans"]
    assert {span["name"] for span in part["scopeSpans"][0]["spans"]} == {"tree", "generate"}


def test_trace_is_plain_when_the_terminal_is_ascii(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stdout = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", stdout)
    assert main(["trace", str(root), "--problem", "train-9"]) == 0
    stdout.flush()
    assert b"#####" in stdout.buffer.getvalue()  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["nowhere"], "no directory nowhere"),
        (["ROOT", "--stage", "r7/search"], "has no spans of 'r7/search': one of r1/search, r2/search"),
        (["ROOT", "--problem", "train-5"], "tree 0 of 'train-5' has no spans; recorded are trees of train-9"),
        (["ROOT/rounds/r1/search/trace"], "searches record them with --workers.trace=1"),
    ],
)
def test_trace_refuses_what_is_not_there(
    root: Path, capsys: pytest.CaptureFixture[str], options: list[str], message: str
) -> None:
    assert main(["trace", *(option.replace("ROOT", str(root)) for option in options)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line
