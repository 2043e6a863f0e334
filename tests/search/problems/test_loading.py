"""Problem sets by name: rows, reference answers, and the one-line errors of bad input."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from pydantic import ValidationError

from search.data import Problem
from search.errors import UserError
from search.problems import loading
from search.problems.config import ProblemsConfig, ProblemSetConfig
from search.problems.curriculum import make_problems
from search.problems.decontaminate import DecontaminationResult
from search.problems.hub import Unreachable
from search.problems.loading import load_problem_sets
from search.problems.rows import SourceRow, content_id
from search.problems.sources import hugging_face, named_sets
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


@pytest.mark.parametrize(("count", "sizes"), [(8, [7, 1]), (3, [3, 0]), (20, [18, 2]), (199, [179, 20])])
def test_parts_of_a_small_file_are_as_large_as_they_say(tmp_path: Path, count: int, sizes: list[int]) -> None:
    name = str(numbered(tmp_path / "n.jsonl", count))
    first = load_problems(ProblemSetConfig(name=name, part=(0.0, 0.9)))
    assert len(first.problems) == sizes[0]
    assert first.selection == ("" if sizes[0] == count else f"{sizes[0]} of {count} by part [0.0, 0.9]")
    rest = ProblemSetConfig(name=name, part=(0.9, 1.0))
    if sizes[1]:
        second = load_problems(rest).problems
        assert len(second) == sizes[1]
        assert {p.id for p in first.problems}.isdisjoint(p.id for p in second)
    else:
        assert refusal(rest) == f"{name}: no problem in part [0.9, 1.0] of 3: make the part wider, or name another file"


def test_selection_says_what_part_and_count_leave_out(tmp_path: Path) -> None:
    name, other = (
        str(numbered(tmp_path / "n.jsonl", 10)),
        str(write(tmp_path / "o.jsonl", {"question": "Else?", "answer": "1"})),
    )
    sets = load_problem_sets(
        ProblemsConfig(
            train=ProblemSetConfig(name=name, part=(0.0, 0.8), count=3),
            validation=ProblemSetConfig(name=name, part=(0.8, 1.0)),
            evaluation={"h": ProblemSetConfig(name=other)},
        )
    )
    assert dict(sets.selections) == {
        "train": "8 of 10 by part [0.0, 0.8], 3 of 8 at random by count",
        "validation": "2 of 10 by part [0.8, 1.0]",
    }
    assert [len(sets.train), len(sets.validation)] == [3, 2]


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
        ('{"question": "q", "answer": "#### ' + "9" * 1500 + '"}', "the answer in field 'answer' is 1500 characters"),
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
    assert message.startswith(
        f"{binary}: no usable problem, 1 rows were skipped, the first because {binary}:1: not UTF-8"
    )


def test_byte_order_mark_and_windows_line_ends_are_ignored(tmp_path: Path) -> None:
    path = tmp_path / "w.jsonl"
    path.write_bytes(b'\xef\xbb\xbf{"question": "q", "answer": "1"}\r\n\r\n')
    assert [p.answer for p in load_problems(ProblemSetConfig(name=str(path))).problems] == ["1"]


def test_unknown_set_is_refused() -> None:
    assert refusal(ProblemSetConfig(name="gsm")).startswith(
        "unknown problem set 'gsm': expected 'curriculum', a data set by name (gsm8k, math, "
    )
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
        values = ({"problem": "q", "solution": "why: \\boxed{3}"}, {"problem": "r", "solution": "Clear."})
        return [SourceRow(f"me/mine[train] row {number}", value) for number, value in enumerate(values)]

    monkeypatch.setattr(hugging_face, "hub_rows", rows)
    monkeypatch.setattr(named_sets, "hub_rows", rows)
    loaded = load_problems(ProblemSetConfig(name="me/mine"))
    assert calls == [("me/mine", None, "train")]
    assert [(p.question, p.answer, p.source) for p in loaded.problems] == [("q", "3", "mine")]
    assert (loaded.collected.without_reference, loaded.collected.places) == (1, ("me/mine[train] row 1",))
    with pytest.raises(UserError, match="field 'question' is missing"):
        load_problems(ProblemSetConfig(name="openai/gsm8k", split="test"))
    assert calls[1] == ("openai/gsm8k", "main", "test")


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


def test_splits_of_the_curriculum_are_not_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[int] = []

    def record(training: object, evaluation: list[Problem], *limits: object) -> DecontaminationResult:
        compared.append(len(evaluation))
        return DecontaminationResult(tuple(training), ())  # type: ignore[arg-type]

    def curriculum(split: str | None, count: int) -> ProblemSetConfig:
        return ProblemSetConfig(name="curriculum", split=split, count=count, levels=(2, 3))

    monkeypatch.setattr(loading, "decontaminate", record)
    sets = {"worked": curriculum("worked", 4), "same": curriculum("train", 5)}
    load_problem_sets(
        ProblemsConfig(train=curriculum(None, 7), validation=curriculum("validation", 2), evaluation=sets)
    )
    assert compared == [0, 5]  # validation with nothing, training with the set of its own split


def test_curriculum_is_compared_with_other_sets(tmp_path: Path) -> None:
    (problem,) = make_problems("train", 1, 0, (3, 3))
    file = write(tmp_path / "e.jsonl", {"question": problem.question, "answer": problem.answer})
    train = ProblemSetConfig(name="curriculum", count=4, levels=(3, 3))
    validation = ProblemSetConfig(name="curriculum", split="validation", count=2, levels=(3, 3))
    sets = load_problem_sets(
        ProblemsConfig(train=train, validation=validation, evaluation={"mine": ProblemSetConfig(name=str(file))})
    )
    assert [overlap.id for overlap in sets.dropped["train"]] == [problem.id]
    assert list(sets.readings) == ["evaluation.mine"]


def test_unreachable_evaluation_is_refused_or_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def rows(*arguments: object) -> list[SourceRow]:
        raise Unreachable("me/mine[train]: no Hub, and no copy is in the local cache; name a file")

    monkeypatch.setattr(hugging_face, "hub_rows", rows)
    mine, hub = ProblemSetConfig(name=str(numbered(tmp_path / "n.jsonl", 3))), ProblemSetConfig(name="me/mine")
    other = ProblemSetConfig(name=str(write(tmp_path / "o.jsonl", {"question": "Else?", "answer": "1"})))
    sets = {"train": mine, "validation": other, "evaluation": {"far": hub, "near": other}}
    with pytest.raises(
        Unreachable,
        match=r"^problems\.evaluation\.far: me/mine.*; name a file, or leave the set out by --problems\.allow",
    ):
        load_problem_sets(ProblemsConfig.model_validate(sets))
    allowed = load_problem_sets(
        ProblemsConfig.model_validate(
            {
                **sets,
                "validation": mine,
                "train": other,
                "evaluation": {"far": hub},
                "allow_unreachable_evaluation": True,
            }
        )
    )
    assert (dict(allowed.evaluation), list(allowed.unreachable)) == ({}, ["far"])
    with pytest.raises(Unreachable, match=r"^problems\.validation: me/mine"):
        load_problem_sets(
            ProblemsConfig.model_validate({**sets, "validation": hub, "allow_unreachable_evaluation": True})
        )
