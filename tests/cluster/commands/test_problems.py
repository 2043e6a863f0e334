"""``raystar problems``: what a set holds, how it is read, and whether a config measures on the same problems."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cluster.cli import main

ROWS: list[dict[str, object]] = [
    {
        "problem": "A baker makes 12 rolls and sells 5 of them before the shop opens at noon. How many?",
        "solution": "#### 7",
    },
    {
        "problem": "A baker makes 12 ROLLS and sells 5 of them before the shop opens at noon. How many?",
        "solution": "#### 8",
    },
    {"problem": "What is half of one?", "solution": "It is \\boxed{\\frac12}."},
    {"problem": "What is half of one?", "solution": "It is \\boxed{\\frac12}."},
    {"problem": "Who wins?", "solution": "Nobody knows."},
    {"problem": "Which sign?", "solution": "\\boxed{∫∫}"},
]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    write("mine.jsonl", *ROWS)
    write("held.jsonl", {"question": str(ROWS[0]["problem"]).replace("noon", "ten"), "answer": "7"})
    write("other.jsonl", {"question": "Else?", "answer": "1"})
    sets = "train: {name: other.jsonl}, validation: {name: other.jsonl}, evaluation: {held: {name: held.jsonl}}"
    Path("mini.yaml").write_text(f"name: mini\nproblems: {{{sets}}}\n")


def write(name: str, *rows: dict[str, object]) -> None:
    Path(name).write_text("\n".join(map(json.dumps, rows)))


def output(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(["problems", *arguments]) == 0
    text = capsys.readouterr().out
    assert max(map(len, text.splitlines())) <= 80
    return " ".join(text.split())


def test_set_is_described_without_a_config(capsys: pytest.CaptureFixture[str]) -> None:
    text = output(capsys, "mine.jsonl")
    assert "set mine: 4 problems" in text
    assert "4 problems of 6 rows; question from 'problem'; answer from 'solution' (4)" in text
    assert "left out: 1 without a usable reference (mine.jsonl:5), 1 repeated" in text
    assert "1 row, the first because mine.jsonl:5: field 'solution' has no answer" in text
    assert "answers number 3, text 1" in text
    assert "grader reads 75.0 % of the answers; the others letter by letter, such as '∫∫'" in text
    assert (
        "1 row left out that repeats another; 1 question more than once in the same words; 1 of them with different"
        in text
    )
    assert "What is half of one?" in text
    assert "overlap" not in text


def test_overlap_is_by_the_rule_of_the_config(capsys: pytest.CaptureFixture[str]) -> None:
    # 18 tokens: 11 8-grams of which the changed word spoils 3 (0.73 are common), 6 13-grams of which it spoils 3
    text = output(capsys, "mine.jsonl", "mini.yaml")
    assert "overlap validation, 1 problem: 0 by the config's rule (0.6 of 8-grams); 0 by one common 13-gram" in text
    assert "evaluation.held, 1 problem: 2 by the config's rule (0.6 of 8-grams), such as mine-" in text
    assert "; 2 by one common 13-gram" in text
    strict = output(capsys, "mine.jsonl", "mini.yaml", "--problems.overlap_threshold=0.9")
    assert "evaluation.held, 1 problem: 0 by the config's rule (0.9 of 8-grams); 2 by one common 13-gram" in strict


def test_ten_examples_are_spread_over_the_set(capsys: pytest.CaptureFixture[str]) -> None:
    write("many.jsonl", *({"question": f"Question {i} of it?", "answer": i} for i in range(100)))
    text = output(capsys, "many.jsonl", "--count", "50")
    assert "set many: 50 problems" in text
    assert text.count(" of it?") == 10


def test_named_set_is_read_from_its_copy(capsys: pytest.CaptureFixture[str]) -> None:
    write("copy.jsonl", {"question": "How many?", "answer": "2 + 2\n#### 4"})
    assert "set gsm8k: 1 problem" in output(capsys, "gsm8k", "--file", "copy.jsonl")


def test_curriculum_is_disjoint_from_its_other_splits(capsys: pytest.CaptureFixture[str]) -> None:
    sets = "validation: {name: curriculum, split: validation, count: 3}, evaluation: {held: {name: held.jsonl}}"
    Path("mini.yaml").write_text(f"name: mini\nproblems: {{{sets}}}\n")
    text = output(capsys, "curriculum", "mini.yaml", "--count", "5")
    assert "overlap validation: none, because splits of the curriculum share no problem" in text
    assert "evaluation.held, 1 problem: 0 by the config's rule" in text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["none.jsonl"], "none.jsonl: no such file; expected JSON lines with a question and an answer each"),
        (["mine.jsonl", "--problems.overlap_ngram=3"], "without a CONFIG there are no config fields"),
        (["mine.jsonl", "none.yaml"], "none.yaml"),
        (["mine.jsonl", "--question-field", "text"], "field 'text' is missing; the fields there are 'problem'"),
    ],
)
def test_bad_input_is_one_line(capsys: pytest.CaptureFixture[str], arguments: list[str], message: str) -> None:
    assert main(["problems", *arguments]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
