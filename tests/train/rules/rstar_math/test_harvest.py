"""The files and counts of a harvest over trees of several rounds."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from search import serialization
from search.data import Outcome, PreferencePair, Problem, Step, Trajectory
from search.tree import Tree
from tests.train.rules.rstar_math.hand_tree import PROBLEM, answer, hand_tree, step
from train.data.records import read_records
from train.rules.base import RoundTrees, RuleInputs
from train.rules.registry import HARVEST_RULES
from train.rules.rstar_math.harvest import RStarMathCounts, harvest
from train.rules.rstar_math.options import RStarMathOptions


def round_of(number: int, *trees: Tree, has_reward_model: bool = False) -> RoundTrees:
    return RoundTrees(number=number, trees=trees, has_reward_model=has_reward_model)


def small_tree(text: str, q: float, problem: Problem = PROBLEM, logit: float | None = None) -> Tree:
    """Return a tree with one correct and one incorrect solution after a first step of this text and Q."""
    tree = Tree(problem)
    first = tree.add(0, step(text), visits=2, value_sum=2 * q, logit=logit)
    tree.add(first, answer("so 4", "4"), visits=1, value_sum=1.0, correct=True)
    tree.add(first, answer("so 5", "5"), visits=1, value_sum=-1.0, correct=False)
    return tree


def first_steps(directory: Path) -> list[str]:
    kept = read_records(Trajectory, [directory / "trajectories.jsonl"])
    return [trajectory.steps[0].text for trajectory in kept]


def prefixes(directory: Path) -> list[str]:
    pairs = read_records(PreferencePair, [directory / "pairs.jsonl"])
    return [pair.prefix[0].text for pair in pairs]


def test_harvest_writes_trajectories_pairs_and_counts(tmp_path: Path) -> None:
    tree, _ = hand_tree()
    again, node = hand_tree()  # a second tree of the problem: one more correct solution, and one whose code failed
    again.add(node["b1"], answer("four", "4"), visits=1, value_sum=1.0, correct=True)
    broken = again.add(0, Step("boom", outcome=Outcome.EXCEPTION), visits=1, value_sum=1.0)
    again.add(broken, answer("4?", "4"), visits=1, value_sum=1.0, correct=True)
    unsolved = Tree(Problem(id="p2", question="?", answer="1", source="made up"))
    unsolved.add(0, answer("2", "2"), visits=1, value_sum=-1.0, correct=False)
    counts = harvest([round_of(1, tree, again, unsolved)], RStarMathOptions(), tmp_path)
    kept = [serialization.load(Trajectory, line) for line in (tmp_path / "trajectories.jsonl").read_text().splitlines()]
    assert [trajectory.q for trajectory in kept] == [0.875, pytest.approx(-0.4 / 3)]
    assert (tmp_path / "pairs.jsonl").read_text().count("\n") == 22
    assert counts == RStarMathCounts(
        trees=3,
        problems=2,
        solved=1,
        trajectories=2,
        code_errors=1,
        earlier_rounds=0,
        identical=2,
        beyond_top_k=1,
        all_correct=0,
        all_incorrect=1,
        trees_without_pairs=0,
        step_pairs=14,
        answer_pairs=8,
        filtered_pairs=0,
    )
    assert json.loads((tmp_path / "counts.json").read_text())["trees"] == 3


def test_later_round_replaces_trajectories_and_adds_pairs(tmp_path: Path) -> None:
    old, new = small_tree("old", 0.9), small_tree("new", 0.1, logit=0.0)
    other = small_tree("other", 0.0, Problem(id="p2", question="?", answer="4", source="made up"))
    counts = harvest([round_of(1, old, other), round_of(2, new, has_reward_model=True)], RStarMathOptions(), tmp_path)
    assert first_steps(tmp_path) == ["new", "other"]
    assert prefixes(tmp_path) == ["old", "other", "new"]
    assert (counts.earlier_rounds, counts.trajectories, counts.trees_without_pairs) == (1, 2, 0)


def test_all_rounds_are_ranked_by_rollouts_alone(tmp_path: Path) -> None:
    # Mean Q of "old": (0.2 + 1) / 2 = 0.6. The first step of "new" has 0.3, and (0 + 2 * 0.3) / 3 = 0.2 with the score 0 in it:
    # its mean is (0.3 + 1) / 2 = 0.65, above "old", and would be 0.6 with the score.
    old, new = small_tree("old", 0.2), small_tree("new", 0.3, logit=0.0)
    rounds = [round_of(1, old), round_of(2, new, has_reward_model=True)]
    harvest(rounds, RStarMathOptions(rounds="all", top_k=1), tmp_path)
    (kept,) = read_records(Trajectory, [tmp_path / "trajectories.jsonl"])
    assert (kept.steps[0].text, kept.values) == ("new", (0.3, 1.0))


def test_pairs_of_rounds_before_the_reward_model_can_be_left_out(tmp_path: Path) -> None:
    options = RStarMathOptions(pairs_from="reward_model_rounds")
    old, new = small_tree("old", 0.9), small_tree("new", 0.1)
    harvest([round_of(1, old)], options, tmp_path / "first")
    assert prefixes(tmp_path / "first") == ["old"]  # or the first reward model would have nothing to learn
    counts = harvest([round_of(1, old), round_of(2, new, has_reward_model=True)], options, tmp_path / "second")
    assert prefixes(tmp_path / "second") == ["new"]
    assert (counts.trees_without_pairs, counts.step_pairs, counts.answer_pairs) == (1, 1, 0)


def test_rule_takes_trees_of_unknown_rounds_for_one_round(tmp_path: Path) -> None:
    trees = [small_tree("old", 0.9), small_tree("new", 0.1)]
    result = HARVEST_RULES["rstar_math"].write(RuleInputs(trees=iter(trees)), RStarMathOptions(), tmp_path)
    assert first_steps(tmp_path) == ["old", "new"]
    assert result.summary == "2 trajectories and 2 preference pairs from 2 trees"


def test_failed_harvest_leaves_no_file(tmp_path: Path) -> None:
    def trees() -> Iterator[Tree]:
        yield hand_tree()[0]
        raise OSError("disk gone")

    with pytest.raises(OSError, match="disk gone"):
        harvest([RoundTrees(number=1, trees=trees())], RStarMathOptions(), tmp_path)
    assert list(tmp_path.iterdir()) == []
