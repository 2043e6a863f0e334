"""Repair of a search's tree files: what is kept is named by problem and number, what is dropped is said."""

from __future__ import annotations

from pathlib import Path

from search.storage.tree_repair import repair_trees
from search.storage.tree_store import TreeWriter, read_trees, worker_file
from search.tree import Tree
from tests.fakes.words import PROBLEM


def store(directory: Path, worker: int, *trees: tuple[int, int]) -> None:
    """Store trees of one problem, each as its number and seed."""
    with TreeWriter(worker_file(directory, worker)) as writer:
        for number, seed in trees:
            writer.append(Tree(PROBLEM, number=number, seed=seed))


def test_every_number_of_a_problem_is_kept_once(tmp_path: Path) -> None:
    store(tmp_path, 0, (0, 5), (1, 6))
    store(tmp_path, 1, (1, 7), (2, 8))
    finished, dropped = repair_trees(tmp_path, lambda tree: None)
    assert finished == {("p1", 0), ("p1", 1), ("p1", 2)}
    assert dropped == [f"{worker_file(tmp_path, 1)}:1: dropped: a second tree of problem p1, tree 1"]
    assert [(tree.number, tree.seed) for tree in read_trees(tmp_path)] == [(0, 5), (1, 6), (2, 8)]


def test_refused_tree_does_not_take_the_place_of_another(tmp_path: Path) -> None:
    store(tmp_path, 0, (1, 5), (1, 6))
    finished, dropped = repair_trees(tmp_path, lambda tree: None if tree.seed == 6 else "another search")
    assert finished == {("p1", 1)}
    assert dropped == [f"{worker_file(tmp_path, 0)}:1: dropped: another search"]
    assert [tree.seed for tree in read_trees(tmp_path)] == [6]
