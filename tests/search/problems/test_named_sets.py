"""Every named data set is read from made-up rows in its published schema, from JSON, parquet and the datasets library."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow
import pytest
from pyarrow import parquet

from search.errors import UserError
from search.problems.config import ProblemSetConfig
from search.problems.sources import named_sets
from search.problems.sources.base import LoadedProblems
from search.problems.sources.named_sets import NAMED_SETS, NamedSet, bare_dapo_question, find_named_set
from search.problems.sources.registry import load_problems
from tests.search.problems.published_schemas import SCHEMAS

NAMES = [entry.name for entry in NAMED_SETS]


def check(loaded: LoadedProblems, name: str) -> None:
    schema = SCHEMAS[name]
    assert tuple((problem.question, problem.answer) for problem in loaded.problems) == schema.problems
    assert loaded.source == name
    assert loaded.collected.without_reference == loaded.skipped == schema.without_reference
    assert loaded.repeated == schema.repeated


def write_json(path: Path, name: str) -> Path:
    rows = SCHEMAS[name].rows
    path.write_text(json.dumps(rows) if path.suffix == ".json" else "\n".join(map(json.dumps, rows)), encoding="utf-8")
    return path


def write_parquet(path: Path, name: str) -> Path:
    parquet.write_table(pyarrow.Table.from_pylist(list(SCHEMAS[name].rows)), path)
    return path


def test_every_name_has_a_fixture_that_names_its_source() -> None:
    assert sorted(SCHEMAS) == sorted(NAMES)
    for entry in NAMED_SETS:
        assert SCHEMAS[entry.name].source.endswith(entry.hub)


@pytest.mark.parametrize("name", NAMES)
def test_named_set_is_read_from_local_files(name: str, tmp_path: Path) -> None:
    files = [write_json(tmp_path / "a.jsonl", name), write_json(tmp_path / "b.json", name)]
    loaded = [load_problems(ProblemSetConfig(name=name, file=str(file))) for file in files]
    loaded.append(load_problems(ProblemSetConfig(name=name, file=str(write_parquet(tmp_path / "c.parquet", name)))))
    for sets in loaded:
        check(sets, name)
        assert sets.problems == loaded[0].problems  # the same ids from every format


@pytest.mark.parametrize("name", NAMES)
def test_named_set_is_read_by_the_datasets_library(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import datasets

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    entry, folder = find_named_set(name), tmp_path / "hub"
    assert entry is not None
    folder.mkdir()
    write_parquet(folder / f"{entry.splits[0]}.parquet", name)
    local = NamedSet(
        name=name, hub=str(folder), splits=entry.splits, fields=entry.fields, unusable=entry.unusable, clean=entry.clean
    )
    monkeypatch.setattr(named_sets, "NAMED_SETS", (local,))
    check(load_problems(ProblemSetConfig(name=name)), name)


@pytest.mark.parametrize("name", NAMES)
def test_fields_of_a_named_set_are_guessed_without_the_name(name: str, tmp_path: Path) -> None:
    file = write_json(tmp_path / "mine.jsonl", name)
    loaded = load_problems(ProblemSetConfig(name=str(file), skip_bad_lines=True))
    answers = {answer for _, answer in SCHEMAS[name].problems}
    assert answers <= {problem.answer for problem in loaded.problems}


@pytest.mark.parametrize(
    ("spelling", "name"),
    [
        ("GSM8K", "gsm8k"),
        ("MATH500", "math-500"),
        ("math_500", "math-500"),
        ("openai/gsm8k", "gsm8k"),
        ("DAPO", "dapo"),
    ],
)
def test_named_set_is_found_by_other_spellings(spelling: str, name: str) -> None:
    entry = find_named_set(spelling)
    assert entry is not None
    assert entry.name == name


def test_split_that_a_named_set_lacks_is_refused() -> None:
    with pytest.raises(UserError, match=r"^math-500 has no split 'train': one of test$"):
        load_problems(ProblemSetConfig(name="math-500", split="train"))


def test_reading_is_described_in_one_line(tmp_path: Path) -> None:
    file = write_json(tmp_path / "n.jsonl", "numinamath")
    assert load_problems(ProblemSetConfig(name="numinamath", file=str(file))).collected.describe() == (
        "2 problems of 4 rows; question from 'problem'; answer from 'answer' (1), 'solution' (1); left out: 2 without a "
        f"usable reference ({file}:2, {file}:4)"
    )


def test_dapo_instructions_are_left_out() -> None:
    assert bare_dapo_question("What is 1 + 1?") == "What is 1 + 1?"


def test_file_of_a_set_that_has_no_name_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="file is for a data set by name only"):
        load_problems(ProblemSetConfig(name="owner/set", file=str(tmp_path / "x.jsonl")))


def test_every_named_set_is_in_the_documentation() -> None:
    lines = (Path(__file__).parents[3] / "docs" / "data.md").read_text(encoding="utf-8").splitlines()
    for entry in NAMED_SETS:
        (line,) = [line for line in lines if line.startswith(f"| `{entry.name}` |")]
        assert entry.hub in line
        assert f"| {', '.join(entry.splits)} |" in line
