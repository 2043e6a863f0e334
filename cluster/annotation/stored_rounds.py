"""Sort directories of stored trees by the round of evolution that grew them, as harvest rules read them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from itertools import chain, groupby, islice
from pathlib import Path

from search.storage.tree_store import read_trees
from search.tree import Tree
from train.rules.base import RoundTrees

ROUND_DIRECTORY = re.compile(r"r([1-9]\d*)")
LOOKED_AT = 20  # trees in which a reward model's outputs are looked for


def round_number(directory: Path) -> int:
    """Return the round of a search's stage, which its path says: ``RUN/rounds/r2/search`` → 2. Else 1."""
    match = ROUND_DIRECTORY.fullmatch(directory.parent.name)
    return int(match[1]) if match and directory.parent.parent.name == "rounds" else 1


def trees_by_round(
    directories: Sequence[Path], prepare: Callable[[Tree], Tree] = lambda tree: tree
) -> tuple[RoundTrees, ...]:
    """Return the trees of all directories by round, oldest first, each after ``prepare``. They are read when iterated over."""
    by_number = groupby(sorted(directories, key=round_number), key=round_number)
    return tuple(
        RoundTrees(
            number=number,
            trees=map(prepare, chain.from_iterable(map(read_trees, stages))),
            has_reward_model=any(map(has_scores, stages)),
        )
        for number, stages in ((number, list(group)) for number, group in by_number)
    )


def has_scores(directory: Path) -> bool:
    """Return True if a reward model scored nodes of the first trees in the directory."""
    return any(node.logit is not None for tree in _first_trees(directory) for node in tree.nodes)


def _first_trees(directory: Path) -> Iterator[Tree]:
    return islice(read_trees(directory), LOOKED_AT)
