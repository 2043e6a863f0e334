"""Trees that an earlier start of a search stored: which of them belong to it."""

from __future__ import annotations

from pathlib import Path

import pytest

from cluster.searches.stored_trees import keep_trees
from search.data import Problem
from search.errors import UserError
from search.seeds import tree_seed
from search.storage.tree_store import TreeWriter, read_trees, worker_file
from search.tree import Tree

SEED = 9
PROBLEMS = {name: Problem(id=name, question=f"{name}?", answer="7", source="t") for name in ("a", "b")}


def store(directory: Path, *trees: tuple[str, int, int]) -> None:
    """Store trees, each as its problem, its number, and the number that its seed is of."""
    with TreeWriter(worker_file(directory, 0)) as writer:
        for name, number, seed_of in trees:
            writer.append(Tree(PROBLEMS[name], number=number, seed=tree_seed(SEED, name, seed_of)))


def keep(directory: Path, trees: int) -> tuple[set[tuple[str, int]], list[str]]:
    log: list[str] = []
    return keep_trees(directory, PROBLEMS, SEED, log.append, trees), log


def test_trees_are_kept_by_problem_and_number(tmp_path: Path) -> None:
    store(tmp_path, ("a", 0, 0), ("a", 1, 1), ("b", 1, 1))
    assert keep(tmp_path, 2) == ({("a", 0), ("a", 1), ("b", 1)}, [])


def test_tree_with_the_seed_of_another_number_is_dropped(tmp_path: Path) -> None:
    store(tmp_path, ("a", 0, 0), ("a", 1, 0))
    kept, log = keep(tmp_path, 2)
    assert kept == {("a", 0)}
    assert log == [
        f"{worker_file(tmp_path, 0)}:2: dropped: the tree of problem a, tree 1 is of another search "
        f"(seed {tree_seed(SEED, 'a')})"
    ]


def test_tree_beyond_the_number_of_trees_is_dropped(tmp_path: Path) -> None:
    store(tmp_path, ("a", 0, 0), ("a", 3, 3))
    kept, log = keep(tmp_path, 3)
    assert kept == {("a", 0)}
    assert log[0].endswith("problem a, tree 3: the search grows 3 trees a problem, from 0")
    assert [tree.key for tree in read_trees(tmp_path)] == [("a", 0)]


def test_foreign_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("?")
    with pytest.raises(UserError, match=r"notes\.txt does not belong to a search"):
        keep(tmp_path, 1)
