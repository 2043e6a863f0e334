"""Problem sets by name: rows, reference answers, and the one-line errors of bad input."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from pydantic import ValidationError

from search.data import Problem
from search.errors import UserError
from search.problems.config import ProblemsConfig, ProblemSetConfig
from search.problems.loading import load_problem_sets
from search.problems.rows import SourceRow, content_id, extract_answer, hugging_face_rows
from search.problems.sources import hugging_face
from search.problems.sources.registry import load_problems


def write(path: Path, *rows: object) -> Path:
    path.write_text("".join(row + "\n" if isinstance(row, str) else json.dumps(row) + "\n" for row in rows))
    return path


def numbered(path: Path, count: int) -> Path:
    return write(path, *({"question": f"What is {i} + {i}?", "answer": str(2 * i)} for i in range(count)))


def refusal(source: ProblemSetConfig) -> str:
    with pytest.raises(UserError) as caught:
        load_problems(source)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("He sold 24.\nHe sold <<48+24=72>>72.\n#### 72", "72"),
        ("#### 1,234 ", "1,234"),
        ("So \\boxed{1} or rather \\boxed{\\frac{1}{2}}.", "\\frac{1}{2}"),
        ("  x + 1 ", "x + 1"),
        ("First this.\nThen that.", None),
        ("w" * 1500, None),
        ("####", None),
        ("\\boxed{}", None),
    ],
)
def test_reference_answer_is_extracted(text: str, answer: str | None) -> None:
    assert extract_answer(text) == answer


def test_gsm8k_file_is_read(tmp_path: Path) -> None:
    path = write(
        tmp_path / "mine.jsonl",
        {"question": " How many? ", "answer": "2 + 2 = 4\n#### 4"},
        "",
        {"question": "And?", "answer": 5},
    )
    loaded = load_problems(ProblemSetConfig(name=str(path)))
    assert loaded.problems == (
        Problem(id=content_id("mine", "How many?", "4"), question="How many?", answer="4", source="mine"),
        Problem(id=content_id("mine", "And?", "5"), question="And?", answer="5", source="mine"),
    )
    assert (loaded.skipped, loaded.repeated, loaded.source) == (0, 0, "mine")


def test_field_names_and_ids_can_be_given(tmp_path: Path) -> None:
    path = write(tmp_path / "math.jsonl", {"problem": "1/2?", "solution": "It is $\\boxed{\\frac12}$.", "unique_id": 7})
    source = ProblemSetConfig(name=str(path), question_field="problem", answer_field="solution", id_field="unique_id")
    assert load_problems(source).problems == (Problem(id="7", question="1/2?", answer="\\frac12", source="math"),)


def test_id_is_independent_of_the_place_in_the_file(tmp_path: Path) -> None:
    rows = [{"question": f"q{i}", "answer": str(i)} for i in range(5)]
    forward = load_problems(ProblemSetConfig(name=str(write(tmp_path / "a.jsonl", *rows)))).problems
    backward = load_problems(ProblemSetConfig(name=str(write(tmp_path / "a.jsonl", *rows[::-1])))).problems
    assert forward == backward[::-1]
    assert all(p.id.startswith("a-") for p in forward)
    assert len({p.id for p in forward}) == 5


def test_draw_is_seeded_and_keeps_the_order(tmp_path: Path) -> None:
    name = str(numbered(tmp_path / "n.jsonl", 100))
    first = load_problems(ProblemSetConfig(name=name, count=10, seed=1)).problems
    assert first == load_problems(ProblemSetConfig(name=name, count=10, seed=1)).problems
    assert first != load_problems(ProblemSetConfig(name=name, count=10, seed=2)).problems
    order = [int(p.answer) for p in first]
    assert len(order) == 10
    assert order == sorted(order)
    assert len(load_problems(ProblemSetConfig(name=name, count=1000)).problems) == 100


def test_parts_are_disjoint_and_complete(tmp_path: Path) -> None:
    name = str(numbered(tmp_path / "n.jsonl", 400))
    parts = [
        load_problems(ProblemSetConfig(name=name, part=part)).problems for part in ((0.0, 0.8), (0.8, 0.9), (0.9, 1.0))
    ]
    ids = [p.id for part in parts for p in part]
    assert len(ids) == len(set(ids)) == 400
    assert 290 <= len(parts[0]) <= 350


def test_repeats_are_counted_and_given_ids_must_differ(tmp_path: Path) -> None:
    row = {"question": "q", "answer": "1"}
    loaded = load_problems(ProblemSetConfig(name=str(write(tmp_path / "a.jsonl", row, row))))
    assert (len(loaded.problems), loaded.repeated, loaded.skipped) == (1, 1, 0)
    path = write(tmp_path / "b.jsonl", {**row, "id": "x"}, {"question": "r", "answer": "2", "id": "x"})
    assert (
        refusal(ProblemSetConfig(name=str(path))) == f"{path}:2: id 'x' was used before, at {path}:1; ids must differ"
    )
    assert load_problems(ProblemSetConfig(name=str(path), skip_bad_lines=True)).skipped == 1


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("question,answer", "not JSON; expected one JSON object a line, found 'question,answer'"),
        ("[", "not JSON; expected one JSON object a line, found '['"),
        ("[1, 2]", "not an object with the fields 'question' and 'answer': [1, 2]"),
        ('{"question": "q"}', "field 'answer' is missing; the fields there are 'question'"),
        ("{}", "field 'question' is missing; the fields there are none"),
        ('{"question": "q", "answer": ""}', "field 'answer' is empty"),
        ('{"question": "  ", "answer": "1"}', "field 'question' is empty"),
        ('{"question": "q", "answer": null}', "field 'answer' must be a text or a number, not None"),
        ('{"question": "q", "answer": true}', "field 'answer' must be a text or a number, not True"),
        ('{"question": "q", "answer": NaN}', "field 'answer' must be a text or a finite number, not nan"),
        ('{"question": "q", "answer": "####"}', "field 'answer' has no answer: expected a short text"),
        ('{"question": "q", "answer": "1", "id": []}', "field 'id' must be a text or a whole number, not []"),
        ('{"question": "\\ud800", "answer": "1"}', "field 'question' holds half a surrogate pair"),
        ('{"question": "q", "answer": "#### ' + "9" * 1500 + '"}', "the answer in field 'answer' is 1500 characters long, 1000 at most"),
    ],
)  # fmt: skip
def test_bad_line_is_named_or_counted(tmp_path: Path, line: str, message: str) -> None:
    path = write(tmp_path / "bad.jsonl", {"question": "q0", "answer": "0"}, line, {"question": "q2", "answer": "2"})
    assert refusal(ProblemSetConfig(name=str(path))).startswith(f"{path}:2: {message}")
    loaded = load_problems(ProblemSetConfig(name=str(path), skip_bad_lines=True))
    assert ([p.answer for p in loaded.problems], loaded.skipped) == (["0", "2"], 1)


def test_error_names_the_bad_file(tmp_path: Path) -> None:
    missing, empty, binary, folder = (tmp_path / name for name in ("none.jsonl", "empty.jsonl", "x.jsonl", "d.jsonl"))
    empty.write_text("\n \n")
    binary.write_bytes(b"\xff\xfe\x00\n")
    folder.mkdir()
    assert refusal(ProblemSetConfig(name=str(missing))).startswith(f"{missing}: no such file; expected JSON lines")
    assert refusal(ProblemSetConfig(name=str(empty))).startswith(f"{empty}: the file is empty; expected JSON lines")
    assert refusal(ProblemSetConfig(name=str(folder))).startswith(f"{folder}: not a file")
    assert refusal(ProblemSetConfig(name=str(binary))) == f"{binary}:1: not UTF-8 text; expected one JSON object a line"
    message = refusal(ProblemSetConfig(name=str(binary), skip_bad_lines=True))
    assert message == f"{binary}: no usable problem, 1 rows were skipped"


def test_byte_order_mark_and_windows_line_ends_are_ignored(tmp_path: Path) -> None:
    path = tmp_path / "w.jsonl"
    path.write_bytes(b'\xef\xbb\xbf{"question": "q", "answer": "1"}\r\n\r\n')
    assert [p.answer for p in load_problems(ProblemSetConfig(name=str(path))).problems] == ["1"]


def test_unknown_set_is_refused() -> None:
    assert refusal(ProblemSetConfig(name="gsm")).startswith("unknown problem set 'gsm': expected 'curriculum', a path")
    assert "'worst'" in refusal(ProblemSetConfig(name="curriculum", split="worst", count=2))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"name": "curriculum"}, "give a count"),
        ({"name": "curriculum", "count": 1, "part": (0.0, 0.5)}, "leave part out"),
        ({"name": "a/b", "levels": (3, 2)}, "1 <= least <= most"),
        ({"name": "a/b", "part": (0.5, 0.5)}, "0 <= from < to <= 1"),
        ({"name": "a/b", "count": 0}, "greater than or equal to 1"),
        ({"name": "a/b", "limit": 1}, "Extra inputs"),
    ],
)
def test_config_is_refused_when_impossible(fields: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        ProblemSetConfig.model_validate(fields)


def test_curriculum_is_loaded_by_name() -> None:
    loaded = load_problems(ProblemSetConfig(name="curriculum", split="train", count=6, seed=3, levels=(3, 5)))
    assert [p.level for p in loaded.problems] == [3, 4, 5, 3, 4, 5]
    assert (loaded.skipped, loaded.source) == (0, "curriculum")


def test_hugging_face_set_is_loaded_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[object] = []

    def rows(*arguments: object) -> list[SourceRow]:
        calls.append(arguments)
        return [SourceRow("openai/gsm8k/main[test] row 0", {"question": "q", "answer": "why\n#### 3"})]

    monkeypatch.setattr(hugging_face, "hugging_face_rows", rows)
    loaded = load_problems(ProblemSetConfig(name="openai/gsm8k", subset="main", split="test"))
    assert calls == [("openai/gsm8k", "main", "test")]
    assert [(p.question, p.answer, p.source) for p in loaded.problems] == [("q", "3", "gsm8k")]


def test_rows_are_read_by_the_datasets_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import datasets

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    folder = tmp_path / "mine"
    folder.mkdir()
    numbered(folder / "train.jsonl", 3)
    rows = list(hugging_face_rows(str(folder), None, "train"))
    assert [row.value for row in rows][2] == {"question": "What is 2 + 2?", "answer": "4"}
    assert rows[2].place == f"{folder}[train] row 2"
    with pytest.raises(UserError, match=r"\[worst\]: cannot load this Hugging Face data set: Unknown split"):
        list(hugging_face_rows(str(folder), None, "worst"))


def test_sets_are_cleaned_of_measured_problems(tmp_path: Path) -> None:
    rows = [{"question": f"Is {i} a prime number?", "answer": str(i), "id": f"n{i}"} for i in range(9)]
    sets = load_problem_sets(
        ProblemsConfig(
            train=ProblemSetConfig(name=str(write(tmp_path / "t.jsonl", *rows))),
            validation=ProblemSetConfig(name=str(write(tmp_path / "v.jsonl", *rows[:4]))),
            evaluation={"heldout": ProblemSetConfig(name=str(write(tmp_path / "h.jsonl", *rows[3:5])))},
        )
    )
    assert [p.id for p in sets.train] == ["n5", "n6", "n7", "n8"]
    assert [p.id for p in sets.validation] == ["n0", "n1", "n2"]
    assert [p.id for p in sets.evaluation["heldout"]] == ["n3", "n4"]
    assert {name: [o.id for o in overlaps] for name, overlaps in sets.dropped.items()} == {
        "train": ["n0", "n1", "n2", "n3", "n4"],
        "validation": ["n3"],
    }
    assert sets.skipped == {"train": 0, "validation": 0, "evaluation.heldout": 0}


def test_training_set_is_refused_when_all_is_measured(tmp_path: Path) -> None:
    name = str(numbered(tmp_path / "n.jsonl", 3))
    other = str(write(tmp_path / "o.jsonl", {"question": "Else?", "answer": "1"}))
    config = ProblemsConfig(
        train=ProblemSetConfig(name=name),
        validation=ProblemSetConfig(name=other),
        evaluation={"h": ProblemSetConfig(name=name)},
    )
    with pytest.raises(UserError, match=r"problems\.train: all 3 problems occur"):
        load_problem_sets(config)
