"""Totals over stored trees: what is counted by tree, and what by problem."""

from __future__ import annotations

from pathlib import Path

from cluster.searches.result import summarise_trees
from search.data import Cost, Problem, Step, StepStatus
from search.storage.tree_store import TreeWriter, worker_file
from search.tree import Tree


def grown(name: str, number: int, correct: bool) -> Tree:
    problem = Problem(id=name, question="?", answer="7", source="t")
    tree = Tree(problem, number=number, seed=number, cost=Cost(generated_tokens=10), failures={"timeout": 1})
    tree.add(0, Step("7", status=StepStatus.FINAL, answer="7"), correct=correct)
    return tree


def test_several_trees_of_a_problem_count_as_one_problem(tmp_path: Path) -> None:
    trees = (grown("a", 0, False), grown("a", 1, True), grown("a", 2, True), grown("b", 0, False))
    with TreeWriter(worker_file(tmp_path, 0)) as writer:
        for tree in trees:
            writer.append(tree)
    result = summarise_trees(tmp_path, {("b", 1): "broken", ("c", 0): "broken", ("c", 1): "broken"})
    assert (result.trees, result.trees_solved) == (4, 2)
    assert (result.problems, result.solved) == (3, 1)
    assert result.cost == Cost(generated_tokens=40)
    assert result.failures == {"timeout": 4, "quarantined": 3}
    facts = result.facts()
    assert facts["quarantined"] == {"b, tree 1": "broken", "c": "broken", "c, tree 1": "broken"}
    assert (facts["problems_searched"], facts["problems_solved"], facts["trees_repeated"]) == (3, 1, 0)


def test_tree_that_was_stored_twice_is_counted_once(tmp_path: Path) -> None:
    for worker in (0, 1):
        with TreeWriter(worker_file(tmp_path, worker)) as writer:
            writer.append(grown("a", 1, True))
    result = summarise_trees(tmp_path, {})
    assert (result.trees, result.repeats, result.cost.generated_tokens) == (1, 1, 10)
