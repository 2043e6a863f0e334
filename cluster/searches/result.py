"""Summarise the stored trees of a search: what was solved, what failed and what it cost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from search.data import Cost, StepStatus
from search.storage.tree_store import read_trees
from search.tree import Tree, TreeKey, tree_name


@dataclass(slots=True)
class SearchResult:
    """Totals over the trees of a search, which are several a problem where ``search.trees`` is above 1.

    ``problems``: those with a tree or in quarantine; ``solved``: those of which a tree is solved; ``trees_solved``: solved
    trees. ``ties``: trees whose answer only its order put before an equally good one. ``repeats``: trees that were stored
    more than once. ``steps``: steps with code. ``steps_ran``: those whose program ran. ``quarantined``: the reason why a
    tree is missing, by its name. ``price``: what the tokens of all trees cost by the prices of ``policy.endpoint``, None
    without prices. ``occupancy``: mean share of the policy engines' capacity in use during this start; None if nothing was
    left to search. ``disturbances``: during this start, what failed in engines and executors and was tried again or given
    up, such as "policy_engine_died", "executor_retries" or "executor_restarts"; those that are not 0. ``algebra``: pairs of
    answers that normal forms did not decide, during this start: "compared" by algebra, and of these cut by "time",
    "memory" or "crash", or "undecided". ``hosts``: on a cluster, the address of the machine of each actor at the end of this
    start, by the actor's name.
    """

    problems: int = 0
    solved: int = 0
    trees: int = 0
    trees_solved: int = 0
    ties: int = 0
    repeats: int = 0
    steps: int = 0
    steps_ran: int = 0
    cost: Cost = field(default_factory=Cost)
    failures: Counter[str] = field(default_factory=Counter)
    quarantined: dict[str, str] = field(default_factory=dict)
    price: float | None = None
    occupancy: float | None = None
    disturbances: dict[str, int] = field(default_factory=dict)
    algebra: dict[str, int] = field(default_factory=dict)
    hosts: dict[str, str] = field(default_factory=dict)

    def facts(self) -> dict[str, Any]:
        """Return the result as plain data for the stage's record."""
        return {
            "problems_searched": self.problems,
            "problems_solved": self.solved,
            "trees": self.trees,
            "trees_solved": self.trees_solved,
            "trees_tied": self.ties,
            "trees_repeated": self.repeats,
            "steps": self.steps,
            "steps_ran": self.steps_ran,
            "tokens": self.cost.generated_tokens,
            "prompt_tokens": self.cost.prompt_tokens,
            "cached_tokens": self.cost.cached_tokens,
            "scored_tokens": self.cost.scored_tokens,
            "scored_cached_tokens": self.cost.scored_cached_tokens,
            "requests": self.cost.requests,
            "reward_model_requests": self.cost.reward_model_requests,
            "scored_states": self.cost.scored_states,
            "executions": self.cost.executions,
            "price": self.price,
            "occupancy": self.occupancy,
            "failures": dict(self.failures),
            "disturbances": self.disturbances,
            "graded_by_algebra": self.algebra.get("compared", 0),
            "verdicts_cut": {name: self.algebra[name] for name in sorted(self.algebra) if name != "compared"},
            "quarantined": self.quarantined,
            **({"hosts": self.hosts} if self.hosts else {}),
        }


def summarise_trees(directory: Path, quarantined: Mapping[TreeKey, str]) -> SearchResult:
    """Return totals over the trees in a directory. Trees in quarantine, with their reasons, count as failures."""
    result = SearchResult(quarantined={tree_name(*key): reason for key, reason in quarantined.items()})
    searched, solved = {problem_id for problem_id, _ in quarantined}, set[str]()
    repeats: Counter[TreeKey] = Counter()
    for tree in read_trees(directory, repeats):
        searched.add(tree.problem.id)
        solved.update([tree.problem.id] if tree.is_solved else [])
        _add_tree(result, tree)
    result.problems, result.solved, result.repeats = len(searched), len(solved), repeats.total()
    result.failures.update({"quarantined": len(quarantined)} if quarantined else {})
    return result


def _add_tree(result: SearchResult, tree: Tree) -> None:
    result.trees += 1
    result.trees_solved += tree.is_solved
    result.ties += tree.tied_answers > 0
    result.cost = result.cost + tree.cost
    result.failures.update(tree.failures)
    for node in tree.nodes[1:]:
        if node.step is not None and node.step.code:
            result.steps += node.multiplicity
            result.steps_ran += node.multiplicity * (node.step.status is StepStatus.OPEN)
