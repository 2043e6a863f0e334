"""Problem sets by name: what is read, how answers are recognised, and the one line that bad input gets."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from pydantic import ValidationError

from search.data import Problem
from search.errors import UserError
from search.problems import loading
from search.problems.loading import ProblemsConfig, SourceConfig, load, load_sets
from search.problems.rows import SourceRow, content_id, hugging_face_rows, reference_answer


def write(path: Path, *rows: object) -> Path:
    path.write_text("".join(row + "\n" if isinstance(row, str) else json.dumps(row) + "\n" for row in rows))
    return path


def numbered(path: Path, count: int) -> Path:
    return write(path, *({"question": f"What is {i} + {i}?", "answer": str(2 * i)} for i in range(count)))


def refusal(source: SourceConfig) -> str:
    with pytest.raises(UserError) as caught:
        load(source)
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
        ("w" * 500, None),
        ("####", None),
        ("\\boxed{}", None),
    ],
)
def test_reference_answers(text: str, answer: str | None) -> None:
    assert reference_answer(text) == answer


def test_a_file_in_gsm8k_style(tmp_path: Path) -> None:
    path = write(
        tmp_path / "mine.jsonl",
        {"question": " How many? ", "answer": "2 + 2 = 4\n#### 4"},
        "",
        {"question": "And?", "answer": 5},
    )
    found = load(SourceConfig(name=str(path)))
    assert found.problems == (
        Problem(content_id("mine", "How many?", "4"), "How many?", "4", "mine"),
        Problem(content_id("mine", "And?", "5"), "And?", "5", "mine"),
    )
    assert (found.skipped, found.repeated, found.source) == (0, 0, "mine")


def test_other_field_names_and_given_ids(tmp_path: Path) -> None:
    path = write(tmp_path / "math.jsonl", {"problem": "1/2?", "solution": "It is $\\boxed{\\frac12}$.", "unique_id": 7})
    source = SourceConfig(name=str(path), question_field="problem", answer_field="solution", id_field="unique_id")
    assert load(source).problems == (Problem("7", "1/2?", "\\frac12", "math"),)


def test_ids_do_not_depend_on_the_place_in_the_file(tmp_path: Path) -> None:
    rows = [{"question": f"q{i}", "answer": str(i)} for i in range(5)]
    there = load(SourceConfig(name=str(write(tmp_path / "a.jsonl", *rows)))).problems
    back = load(SourceConfig(name=str(write(tmp_path / "a.jsonl", *rows[::-1])))).problems
    assert there == back[::-1]
    assert all(p.id.startswith("a-") for p in there)
    assert len({p.id for p in there}) == 5


def test_a_draw_is_seeded_and_keeps_the_order(tmp_path: Path) -> None:
    name = str(numbered(tmp_path / "n.jsonl", 100))
    first = load(SourceConfig(name=name, count=10, seed=1)).problems
    assert first == load(SourceConfig(name=name, count=10, seed=1)).problems
    assert first != load(SourceConfig(name=name, count=10, seed=2)).problems
    order = [int(p.answer) for p in first]
    assert len(order) == 10
    assert order == sorted(order)
    assert len(load(SourceConfig(name=name, count=1000)).problems) == 100


def test_parts_share_nothing_and_miss_nothing(tmp_path: Path) -> None:
    name = str(numbered(tmp_path / "n.jsonl", 400))
    parts = [load(SourceConfig(name=name, part=part)).problems for part in ((0.0, 0.8), (0.8, 0.9), (0.9, 1.0))]
    ids = [p.id for part in parts for p in part]
    assert len(ids) == len(set(ids)) == 400
    assert 290 <= len(parts[0]) <= 350


def test_repeats_without_ids_are_counted_and_given_ids_must_differ(tmp_path: Path) -> None:
    row = {"question": "q", "answer": "1"}
    found = load(SourceConfig(name=str(write(tmp_path / "a.jsonl", row, row))))
    assert (len(found.problems), found.repeated, found.skipped) == (1, 1, 0)
    path = write(tmp_path / "b.jsonl", {**row, "id": "x"}, {"question": "r", "answer": "2", "id": "x"})
    assert refusal(SourceConfig(name=str(path))) == f"{path}:2: id 'x' was used before, at {path}:1; ids must differ"
    assert load(SourceConfig(name=str(path), skip_bad_lines=True)).skipped == 1


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
        ('{"question": "q", "answer": "#### ' + "9" * 500 + '"}', "the answer in field 'answer' is 500 characters long, 400 at most"),
    ],
)  # fmt: skip
def test_bad_lines_are_named_or_counted(tmp_path: Path, line: str, message: str) -> None:
    path = write(tmp_path / "bad.jsonl", {"question": "q0", "answer": "0"}, line, {"question": "q2", "answer": "2"})
    assert refusal(SourceConfig(name=str(path))).startswith(f"{path}:2: {message}")
    found = load(SourceConfig(name=str(path), skip_bad_lines=True))
    assert ([p.answer for p in found.problems], found.skipped) == (["0", "2"], 1)


def test_bad_files(tmp_path: Path) -> None:
    missing, empty, binary, folder = (tmp_path / name for name in ("none.jsonl", "empty.jsonl", "x.jsonl", "d.jsonl"))
    empty.write_text("\n \n")
    binary.write_bytes(b"\xff\xfe\x00\n")
    folder.mkdir()
    assert refusal(SourceConfig(name=str(missing))).startswith(f"{missing}: no such file; expected JSON lines")
    assert refusal(SourceConfig(name=str(empty))).startswith(f"{empty}: the file is empty; expected JSON lines")
    assert refusal(SourceConfig(name=str(folder))).startswith(f"{folder}: not a file")
    assert refusal(SourceConfig(name=str(binary))) == f"{binary}:1: not UTF-8 text; expected one JSON object a line"
    message = refusal(SourceConfig(name=str(binary), skip_bad_lines=True))
    assert message == f"{binary}: no usable problem, 1 rows were skipped"


def test_a_byte_order_mark_and_windows_line_ends_are_harmless(tmp_path: Path) -> None:
    path = tmp_path / "w.jsonl"
    path.write_bytes(b'\xef\xbb\xbf{"question": "q", "answer": "1"}\r\n\r\n')
    assert [p.answer for p in load(SourceConfig(name=str(path))).problems] == ["1"]


def test_unknown_names() -> None:
    assert refusal(SourceConfig(name="gsm")).startswith("unknown problem set 'gsm': expected 'curriculum', a path")
    assert "'worst'" in refusal(SourceConfig(name="curriculum", split="worst", count=2))


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
def test_impossible_configs(fields: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        SourceConfig.model_validate(fields)


def test_the_curriculum_by_name() -> None:
    found = load(SourceConfig(name="curriculum", split="train", count=6, seed=3, levels=(3, 5)))
    assert [p.level for p in found.problems] == [3, 4, 5, 3, 4, 5]
    assert (found.skipped, found.source) == (0, "curriculum")


def test_a_hugging_face_set_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []

    def rows(*arguments: object) -> list[SourceRow]:
        asked.append(arguments)
        return [SourceRow("openai/gsm8k/main[test] row 0", {"question": "q", "answer": "why\n#### 3"})]

    monkeypatch.setattr(loading, "hugging_face_rows", rows)
    found = load(SourceConfig(name="openai/gsm8k", subset="main", split="test"))
    assert asked == [("openai/gsm8k", "main", "test")]
    assert [(p.question, p.answer, p.source) for p in found.problems] == [("q", "3", "gsm8k")]


def test_rows_of_a_set_on_disk_through_the_real_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
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


def test_sets_are_cleaned_against_what_is_measured(tmp_path: Path) -> None:
    rows = [{"question": f"Is {i} a prime number?", "answer": str(i), "id": f"n{i}"} for i in range(9)]
    sets = load_sets(
        ProblemsConfig(
            train=SourceConfig(name=str(write(tmp_path / "t.jsonl", *rows))),
            validation=SourceConfig(name=str(write(tmp_path / "v.jsonl", *rows[:4]))),
            evaluation={"heldout": SourceConfig(name=str(write(tmp_path / "h.jsonl", *rows[3:5])))},
        )
    )
    assert [p.id for p in sets.train] == ["n5", "n6", "n7", "n8"]
    assert [p.id for p in sets.validation] == ["n0", "n1", "n2"]
    assert [p.id for p in sets.evaluation["heldout"]] == ["n3", "n4"]
    assert {name: [o.id for o in gone] for name, gone in sets.dropped.items()} == {
        "train": ["n0", "n1", "n2", "n3", "n4"],
        "validation": ["n3"],
    }
    assert sets.skipped == {"train": 0, "validation": 0, "evaluation.heldout": 0}


def test_a_training_set_that_is_all_measured_is_refused(tmp_path: Path) -> None:
    name = str(numbered(tmp_path / "n.jsonl", 3))
    other = str(write(tmp_path / "o.jsonl", {"question": "Else?", "answer": "1"}))
    config = ProblemsConfig(
        train=SourceConfig(name=name), validation=SourceConfig(name=other), evaluation={"h": SourceConfig(name=name)}
    )
    with pytest.raises(UserError, match=r"problems\.train: all 3 problems occur"):
        load_sets(config)
