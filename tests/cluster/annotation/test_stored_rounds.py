"""Which round stored trees are of, by the place of their stage."""

from __future__ import annotations

from pathlib import Path

import pytest

from cluster.annotation.stored_rounds import round_number, trees_by_round
from search.tree import Tree
from tests.cluster.reward_eval.stored_samples import PROBLEMS, sample_tree, store_trees


@pytest.mark.parametrize(
    ("directory", "number"),
    [("run/rounds/r2/search", 2), ("run/rounds/r12/search-2", 12), ("run/r2/search", 1), ("rounds/r0/x", 1), ("trees", 1)],
)  # fmt: skip
def test_round_is_that_of_the_stage(directory: str, number: int) -> None:
    assert round_number(Path(directory)) == number


def scored(tree: Tree) -> Tree:
    tree.nodes[1].logit = 0.5
    return tree


def test_trees_come_by_round_with_all_passes(tmp_path: Path) -> None:
    rounds = tmp_path / "rounds"
    stages = [rounds / "r3/search", rounds / "r1/search", rounds / "r3/search-2"]
    grow = (lambda tree: tree, lambda tree: tree, scored)
    for stage, problem, change in zip(stages, PROBLEMS, grow, strict=False):
        store_trees(stage, [change(sample_tree(problem, 1, 0, 0))])
    seen: list[str] = []

    def prepare(tree: Tree) -> Tree:
        seen.append(tree.problem.id)
        return tree

    grown = trees_by_round(stages, prepare)
    assert seen == []  # trees are read when they are needed
    assert [(each.number, each.has_reward_model) for each in grown] == [(1, False), (3, True)]
    assert [[tree.problem for tree in each.trees] for each in grown] == [[PROBLEMS[1]], [PROBLEMS[0], PROBLEMS[2]]]
    assert seen == [PROBLEMS[1].id, PROBLEMS[0].id, PROBLEMS[2].id]
