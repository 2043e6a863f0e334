"""The tree store: what survives a crash, what is refused, one tree for each number of a problem."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from search import serialization
from search.data import Problem, Step, StepStatus
from search.errors import UserError
from search.storage import tree_store
from search.storage.tree_store import CorruptStore, TreeWriter, finished_keys, read_trees, worker_file
from search.tree import Tree


def tree(name: str, seed: int = 0, number: int = 0) -> Tree:
    problem = Problem(id=name, question=f"What is {name}?", answer="4", source="test")
    grown = Tree(problem, number=number, strategy="mcts", seed=seed, answer="4")
    first = grown.add(0, Step("a\n", code="a = 1"), visits=3, value_sum=1.5)
    grown.add(first, Step("b", status=StepStatus.FINAL, answer="4"), correct=True, logit=0.25)
    return grown


def write(path: Path, *names: str, seed: int = 0, number: int = 0) -> None:
    with TreeWriter(path) as writer:
        for name in names:
            writer.append(tree(name, seed, number))


def finished_ids(path: Path) -> set[str]:
    keys = finished_keys(path)
    assert {number for _, number in keys} <= {0}
    return {problem_id for problem_id, _ in keys}


def test_trees_are_equal_after_round_trip(tmp_path: Path) -> None:
    path = worker_file(tmp_path, 3)
    write(path, "p1", "p2")
    write(path, "p3")
    assert path.name == "trees-3.jsonl"
    assert list(read_trees(path)) == [tree("p1"), tree("p2"), tree("p3")]
    assert list(read_trees(tmp_path)) == [tree("p1"), tree("p2"), tree("p3")]


@pytest.mark.parametrize("cut", [1, 2, 40, 300])
def test_torn_last_line_is_ignored_and_then_cut_off(tmp_path: Path, cut: int) -> None:
    path = worker_file(tmp_path, 0)
    write(path, "p1", "p2")
    path.write_bytes(path.read_bytes()[:-cut])
    assert [t.problem.id for t in read_trees(path)] == ["p1"]
    assert finished_ids(tmp_path) == {"p1"}
    write(path, "p2", "p3")
    assert list(read_trees(path)) == [tree("p1"), tree("p2"), tree("p3")]
    assert path.read_bytes().count(b"\n") == 3


def test_file_is_emptied_when_it_is_one_long_torn_line(tmp_path: Path) -> None:
    path = worker_file(tmp_path, 0)
    path.write_bytes(b"x" * (2 * tree_store.BLOCK + 7))
    write(path, "p1")
    assert path.read_bytes() == tree_store.format_line(tree("p1")).encode()


def test_last_newline_is_found_far_from_the_end(tmp_path: Path) -> None:
    path = worker_file(tmp_path, 0)
    write(path, "p1")
    good = path.read_bytes()
    path.write_bytes(good + b"y" * (tree_store.BLOCK + 1))
    TreeWriter(path).close()
    assert path.read_bytes() == good


def test_error_names_file_and_line_of_a_corrupt_line(tmp_path: Path) -> None:
    path = worker_file(tmp_path, 0)
    write(path, "p1", "p2", "p3")
    lines = path.read_bytes().splitlines(keepends=True)
    lines[1] = lines[1][:50] + b"\n"
    path.write_bytes(b"".join(lines))
    trees = read_trees(path)
    assert next(trees).problem.id == "p1"
    with pytest.raises(CorruptStore, match=r"trees-0\.jsonl:2: not a tree"):
        next(trees)
    with pytest.raises(CorruptStore, match=r"trees-0\.jsonl:2: not a tree"):
        finished_ids(path)


def test_line_is_corrupt_when_it_is_json_but_no_tree(tmp_path: Path) -> None:
    path = worker_file(tmp_path, 0)
    path.write_text('{"problem": 3}\n')
    with pytest.raises(CorruptStore, match=r":1: "):
        list(read_trees(path))
    with pytest.raises(CorruptStore, match=r":1: "):
        finished_ids(path)


@pytest.mark.parametrize(("start", "version", "age"), [("{", 1, "older"), ('{"schema":4,', 4, "newer")])
def test_tree_of_another_schema_version_is_refused(tmp_path: Path, start: str, version: int, age: str) -> None:
    path = worker_file(tmp_path, 0)
    write(path, "p1")
    path.write_text(path.read_text() + start + serialization.dump(tree("p2")).removeprefix("{") + "\n")
    trees = read_trees(path)
    assert next(trees) == tree("p1")
    message = (
        rf"trees-0\.jsonl:2 has schema version {version}, this RayStar reads and writes version 3: "
        rf"grow the trees again, or use the {age} RayStar that wrote it"
    )
    with pytest.raises(UserError, match=message):
        next(trees)
    with pytest.raises(UserError, match=message):
        finished_ids(path)


def test_line_names_the_schema_version_before_its_fields(tmp_path: Path) -> None:
    path = worker_file(tmp_path, 0)
    write(path, "p1")
    assert path.read_text().startswith('{"schema":3,"problem":{"id":"p1",')


def test_tree_that_was_stored_twice_is_read_once_and_counted(tmp_path: Path) -> None:
    write(worker_file(tmp_path, 0), "p1")
    write(worker_file(tmp_path, 1), "p1", "p2")
    write(worker_file(tmp_path, 2), "p1")
    repeats: Counter[tuple[str, int]] = Counter()
    assert [t.problem.id for t in read_trees(tmp_path, repeats)] == ["p1", "p2"]
    assert repeats == {("p1", 0): 2}
    assert finished_ids(tmp_path) == {"p1", "p2"}


def test_trees_of_two_searches_in_one_directory_are_refused(tmp_path: Path) -> None:
    write(worker_file(tmp_path, 0), "p1", seed=1)
    write(worker_file(tmp_path, 1), "p1", seed=2)
    trees = read_trees(tmp_path)
    assert next(trees).seed == 1
    with pytest.raises(
        CorruptStore, match=r"trees-1\.jsonl:1: a second tree of problem p1 \(seeds 1 and 2\): keep the"
    ):
        next(trees)


def test_trees_of_one_problem_differ_in_their_numbers(tmp_path: Path) -> None:
    for number in (0, 2, 11):
        write(worker_file(tmp_path, 0), "p1", seed=number, number=number)
    assert list(read_trees(tmp_path)) == [tree("p1", number, number) for number in (0, 2, 11)]
    assert finished_keys(tmp_path) == {("p1", 0), ("p1", 2), ("p1", 11)}
    assert [t.name for t in read_trees(tmp_path)] == ["p1", "p1, tree 2", "p1, tree 11"]


def test_number_is_left_out_of_the_line_of_a_first_tree(tmp_path: Path) -> None:
    """Lines that were stored before trees had numbers are those of first trees."""
    assert tree_store.format_line(tree("p1")).startswith('{"schema":3,"problem":{"id":"p1",')
    assert "number" not in tree_store.format_line(tree("p1"))
    assert tree_store.format_line(tree("p1", number=3)).startswith('{"schema":3,"number":3,"problem":{"id":"p1",')
    path = worker_file(tmp_path, 0)
    write(path, "p1", number=3)
    path.write_text(path.read_text().replace('"number":3', '"number":-3'))
    with pytest.raises(CorruptStore, match=":1: not a tree"):
        finished_keys(path)
    with pytest.raises(CorruptStore, match="greater than or equal to 0"):
        list(read_trees(path))


@pytest.mark.parametrize("name", ['quote"s', "back\\slash", "new\nline", "ünïcode ☃", "</b>", '"}', "\u2028"])
def test_odd_ids_are_read_without_parsing_the_tree(tmp_path: Path, name: str) -> None:
    write(worker_file(tmp_path, 0), name, "p2")
    assert finished_ids(tmp_path) == {name, "p2"}
    assert [t.problem.id for t in read_trees(tmp_path)] == [name, "p2"]


def test_missing_path_is_empty_or_an_error(tmp_path: Path) -> None:
    assert finished_ids(tmp_path / "none") == set()
    assert list(read_trees(tmp_path)) == []
    with pytest.raises(FileNotFoundError, match="none"):
        list(read_trees(tmp_path / "none"))


def test_other_files_of_the_directory_are_ignored(tmp_path: Path) -> None:
    (tmp_path / "notes.jsonl").write_text("not a tree\n")
    write(worker_file(tmp_path, 0), "p1")
    assert finished_ids(tmp_path) == {"p1"}


def test_second_writer_is_refused_until_the_first_closes(tmp_path: Path) -> None:
    path = worker_file(tmp_path, 0)
    with (
        TreeWriter(path),
        pytest.raises(UserError, match=rf"trees-0\.jsonl is being written by process {os.getpid()}: end it first"),
    ):
        TreeWriter(path, wait=0.0)
    TreeWriter(path, wait=0.0).close()


def test_file_is_synced_every_so_many_trees(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with TreeWriter(worker_file(tmp_path, 0), sync_every=2) as writer:
        calls: list[int] = []
        monkeypatch.setattr(os, "fsync", calls.append)
        for name in ("p1", "p2", "p3"):
            writer.append(tree(name))
        assert len(calls) == 1
    assert len(calls) == 2


KILLED = """
import sys
sys.path.insert(0, sys.argv[2])
from pathlib import Path
from search.storage.tree_store import TreeWriter
from search.tree import Tree
from search.data import Problem
writer = TreeWriter(Path(sys.argv[1]), sync_every=0)
for number in range(10**9):
    writer.append(Tree(Problem(id=f"p{number}", question="q" * 5000, answer="4", source="test")))
    print(number, flush=True)
"""


def test_killed_writer_loses_no_reported_tree(tmp_path: Path) -> None:
    path = worker_file(tmp_path, 0)
    root = str(Path(tree_store.__file__).parents[2])
    with subprocess.Popen([sys.executable, "-c", KILLED, str(path), root], stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        reported = [int(child.stdout.readline()) for _ in range(30)][-1]
        child.send_signal(signal.SIGKILL)
    ids = [t.problem.id for t in read_trees(path)]
    assert ids == [f"p{number}" for number in range(len(ids))]
    assert len(ids) >= reported + 1 == 30
    assert finished_ids(path) == set(ids)
