"""Segments: files of one writer each that never change once they are finished, and that readers read as any trees."""

from __future__ import annotations

from pathlib import Path

from search.storage.segments import SegmentWriter
from search.storage.tree_store import finished_keys, read_trees
from tests.search.storage.test_tree_store import tree


def test_segments_are_read_as_one_directory_of_trees(tmp_path: Path) -> None:
    writer = SegmentWriter(tmp_path, 3)
    assert writer.finish_segment() is None  # nothing yet
    writer.append(tree("p1"))
    writer.append(tree("p2"))
    first = writer.finish_segment()
    assert first is not None
    content = first.read_bytes()
    writer.append(tree("p3"))
    writer.close()
    assert writer.finish_segment() is None
    assert first.read_bytes() == content and first.name.startswith("trees-3-") and first.name.endswith("-0000.jsonl")
    assert len(list(tmp_path.glob("trees-3-*.jsonl"))) == 2
    assert list(read_trees(tmp_path)) == [tree("p1"), tree("p2"), tree("p3")]


def test_successor_of_a_dead_writer_has_files_of_its_own(tmp_path: Path) -> None:
    dead = SegmentWriter(tmp_path, 0)
    dead.append(tree("p1"))  # never finished: its process was killed, and its lock with it lives on
    successor = SegmentWriter(tmp_path, 0)
    successor.append(tree("p2"))
    successor.close()
    assert finished_keys(tmp_path) == {("p1", 0), ("p2", 0)}
    dead.close()
