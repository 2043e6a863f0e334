"""Check the trees that an earlier start of a search has stored, before it goes on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from search.data import Problem
from search.errors import UserError
from search.seeds import tree_seed
from search.storage.tree_repair import repair_trees
from search.storage.tree_store import PATTERN
from search.tree import Tree, TreeKey

# Other files that a search's directory may hold: what its stage was made from, its clock, its seconds.
COMPANIONS = {"inputs.json", "seconds", "seconds.json"}


def keep_trees(
    directory: Path, problems: Mapping[str, Problem], seed: int, log: Callable[[str], None], trees: int = 1
) -> set[TreeKey]:
    """Return the keys of the trees that are stored; drop and log lines that are no tree of this search.

    A tree belongs to it if its problem is one of ``problems`` (by id), its number is below ``trees``, and its seed is the
    one that ``seed`` gives the two. Raises UserError for a file that no search writes, and for trees of another schema
    version.
    """
    for path in sorted(directory.iterdir()) if directory.exists() else ():
        if not (path.match(PATTERN) or path.name in COMPANIONS or path.name.startswith(".") or path.is_dir()):
            raise UserError(f"{path} does not belong to a search: remove it")

    def check(tree: Tree) -> str | None:
        problem = problems.get(tree.problem.id)
        if problem is None or (problem.question, problem.request) != (tree.problem.question, tree.problem.request):
            return f"problem {tree.problem.id} is not searched here"
        if tree.seed != tree_seed(seed, *tree.key):
            return f"the tree of problem {tree.name} is of another search (seed {tree.seed})"
        return None if tree.number < trees else f"problem {tree.name}: the search grows {trees} trees a problem, from 0"

    finished, dropped = repair_trees(directory, check)
    for line in dropped:
        log(line)
    return finished
