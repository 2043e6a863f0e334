"""Reported trees are compared with stored ones; a search without a tree has no result."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from cluster.searches.reconcile import describe_missing, missing_trees, require_trees
from search.errors import UserError
from tests.search.storage.test_tree_store import write

REPORTED = {("p1", 0), ("p2", 0), ("p2", 1)}


def test_reported_trees_without_a_line_are_missing(tmp_path: Path) -> None:
    write(tmp_path / "trees-0.jsonl", "p1", "p9")
    missing = missing_trees(tmp_path, REPORTED, visible_s=0)
    assert missing == {("p2", 0), ("p2", 1)}
    expected = f"2 of 3 trees that workers reported are not in {tmp_path}, the first is p2"
    assert describe_missing(missing, len(REPORTED), tmp_path) == expected
    assert missing_trees(tmp_path / "nothing", REPORTED, visible_s=0) == REPORTED


def test_trees_may_be_seen_late(tmp_path: Path) -> None:
    writer = threading.Timer(0.2, write, (tmp_path / "trees-0.jsonl", "p1"))
    writer.start()
    assert missing_trees(tmp_path, {("p1", 0)}, visible_s=60) == set()
    writer.join()


@pytest.mark.parametrize(
    ("quarantined", "reason"),
    [
        ({}, "no tree of 3 problems: its workers stored none"),
        ({("p2", 0): "no engine", ("p1", 0): "died"}, "no tree of 3 problems: the search gave up .*: died"),
    ],
)
def test_search_without_a_tree_has_no_result(quarantined: dict[tuple[str, int], str], reason: str) -> None:
    with pytest.raises(UserError, match=reason):
        require_trees("r1: search", 3, 0, quarantined)
    require_trees("r1: search", 3, 1, quarantined)
    require_trees("r1: search", 0, 0, {})  # all were solved before
