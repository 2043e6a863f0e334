"""Check the trees that an earlier start of a search has stored, before it goes on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from search.data import Problem
from search.errors import UserError
from search.seeds import derive
from search.storage.tree_repair import repair_trees
from search.storage.tree_store import PATTERN
from search.tree import Tree

# Other files that a search's directory may hold: what its stage was made from, its clock, its seconds.
COMPANIONS = {"inputs.json", "seconds", "seconds.json"}


def keep_trees(directory: Path, problems: Mapping[str, Problem], seed: int, log: Callable[[str], None]) -> set[str]:
    """Return the ids of the problems whose trees are stored; drop and log lines that are no tree of this search.

    A tree belongs to it if its problem is one of ``problems`` (by id) and its seed is the one that ``seed`` gives that
    problem. Raises UserError for a file that no search writes, and for trees of another schema version.
    """
    for path in sorted(directory.iterdir()) if directory.exists() else ():
        if not (path.match(PATTERN) or path.name in COMPANIONS or path.name.startswith(".") or path.is_dir()):
            raise UserError(f"{path} does not belong to a search: remove it")

    def check(tree: Tree) -> str | None:
        problem = problems.get(tree.problem.id)
        if problem is None or (problem.question, problem.request) != (tree.problem.question, tree.problem.request):
            return f"problem {tree.problem.id} is not searched here"
        if tree.seed != derive(seed, problem.id):
            return f"the tree of problem {problem.id} is of another search (seed {tree.seed})"
        return None

    finished, dropped = repair_trees(directory, check)
    for line in dropped:
        log(line)
    return finished
