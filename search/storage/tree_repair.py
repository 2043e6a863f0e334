"""Drop what does not belong from the tree files of a search that was not finished, so that it is searched again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from search import serialization
from search.storage.files import atomic_file
from search.storage.tree_store import read_lines, tree_files, writer_lock
from search.tree import Tree, TreeKey

CheckFn = Callable[[Tree], str | None]  # why a tree does not belong to the search; None if it does


def repair_trees(directory: Path, check: CheckFn) -> tuple[set[TreeKey], list[str]]:
    """Rewrite the directory's tree files without damaged lines.

    Dropped are lines that are no tree, trees that ``check`` refuses, and every further tree with a key that was read
    before. Returns the keys of the trees that stay, and a line for each that was dropped, with its file and number. Raises
    UserError for a line of another schema version, and if a file with a damaged line is being written.
    """
    finished: set[TreeKey] = set()
    dropped: list[str] = []
    for file in tree_files(directory) if directory.exists() else ():
        damaged: set[int] = set()
        for number, line in read_lines(file):
            reason, key = _read(line, check, finished)
            if key is not None:
                finished.add(key)
            else:
                damaged.add(number)
                dropped.append(f"{file}:{number}: dropped: {reason}")
        if damaged:
            _rewrite_without(file, damaged)
    return finished, dropped


def _read(line: bytes, check: CheckFn, finished: set[TreeKey]) -> tuple[str, TreeKey | None]:
    """Return why a line is dropped, or an empty reason and the key of its tree."""
    try:
        tree = serialization.load(Tree, line)
    except ValueError as error:
        return f"not a tree: {' '.join(str(error).split())[:120]}", None
    reason = f"a second tree of problem {tree.name}" if tree.key in finished else check(tree)
    return (reason, None) if reason else ("", tree.key)


def _rewrite_without(file: Path, damaged: set[int]) -> None:
    with writer_lock(file), atomic_file(file) as temporary, temporary.open("wb") as output:
        for number, line in read_lines(file):
            if number not in damaged:
                output.write(line)
