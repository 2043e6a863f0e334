"""A tree built by hand, and exactly the trajectories and pairs that the rules take from it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from search import serialization
from search.data import Outcome, PreferencePair, Problem, Step, StepStatus, Trajectory
from search.tree import Tree
from train.rules.rstar_math import (
    PRESETS,
    RStarMathCounts,
    RStarMathOptions,
    deduplicate,
    harvest,
    has_code_error,
    is_distance_at_least,
    preference_pairs,
    trajectories,
)

PROBLEM = Problem(id="p1", question="How many?", answer="4", source="made up")


def step(text: str) -> Step:
    return Step(text, outcome=Outcome.OK)


def answer(text: str, value: str) -> Step:
    return Step(text, status=StepStatus.FINAL, answer=value)


def grow() -> tuple[Tree, dict[str, int]]:
    """                     root
                 /      |       |       \\
               a 0.6  b 0.1   c -0.5   e (error, unvisited)
              /    \\     |       |
         a1 1.0  a2 -1  b1 1.0  c1 -1.0

    a1 and b1 are correct, a2 and c1 incorrect.
    """
    tree = Tree(PROBLEM, strategy="mcts")
    node: dict[str, int] = {}

    def add(name: str, parent: str, new_step: Step, visits: int, total: float, correct: bool | None = None) -> None:
        node[name] = tree.add(node.get(parent, 0), new_step, visits=visits, value_sum=total, correct=correct)

    add("a", "root", step("take a"), 5, 3.0)
    add("b", "root", step("take b"), 10, 1.0)
    add("c", "root", step("take c"), 4, -2.0)
    add("e", "root", Step("1/0", status=StepStatus.CODE_ERROR, outcome=Outcome.EXCEPTION), 0, 0.0)
    add("a1", "a", answer("so 4", "4"), 3, 3.0, True)
    add("a2", "a", answer("so 5", "5"), 2, -2.0, False)
    add("b1", "b", answer("it is 4", "4"), 2, 2.0, True)
    add("c1", "c", answer("it is 7", "7"), 2, -2.0, False)
    return tree, node


def names(pairs: tuple[PreferencePair, ...]) -> list[tuple[str, str, str]]:
    return [
        tuple(" | ".join(s.text for s in side) for side in (p.prefix, p.chosen, p.rejected))  # type: ignore[misc]
        for p in pairs
    ]


def test_step_pairs_are_siblings_best_over_worst() -> None:
    tree, _ = grow()
    pairs = preference_pairs(tree, RStarMathOptions())
    # Below the root: correct a (0.6), b (0.1); incorrect e (-1, never visited), c (-0.5); a leads to an incorrect one as well, but
    # is third from below. Below a: a1 over a2.
    assert names(pairs.step) == [
        ("", "take a", "1/0"),
        ("", "take a", "take c"),
        ("", "take b", "1/0"),
        ("", "take b", "take c"),
        ("take a", "so 4", "so 5"),
    ]
    assert [(p.chosen_q, p.rejected_q) for p in pairs.step] == [
        (0.6, -1.0),
        (0.6, -0.5),
        (0.1, -1.0),
        (0.1, -0.5),
        (1.0, -1.0),
    ]


def test_replacing_step_is_in_the_trajectory_but_in_no_pair() -> None:
    tree = Tree(PROBLEM, strategy="rstar")
    first = tree.add(0, step("q? 3"), visits=2, value_sum=0.5)
    again = tree.add(first, step("q? 4"), visits=1, value_sum=0.25, replaces_parent=True)
    tree.add(again, answer("so 4", "4"), visits=1, value_sum=0.75, correct=True)
    tree.add(first, answer("so 3", "3"), visits=1, value_sum=0.0, correct=False)
    (trajectory,) = trajectories(tree)
    assert ([s.text for s in trajectory.steps], trajectory.values, trajectory.q) == (
        ["q? 4", "so 4"],
        (0.25, 0.75),
        0.5,
    )
    assert preference_pairs(tree, RStarMathOptions()).step == ()


def test_answer_pairs_have_different_prefixes() -> None:
    tree, _ = grow()
    pairs = preference_pairs(tree, RStarMathOptions())
    # Mean Q: a-a1 0.8, b-b1 0.55; c-c1 -0.75, a-a2 -0.2. a-a1 and a-a2 share their prefix.
    assert names(pairs.answer) == [
        ("", "take a | so 4", "take c | it is 7"),
        ("", "take b | it is 4", "take c | it is 7"),
        ("", "take b | it is 4", "take a | so 5"),
    ]
    assert [(p.chosen_q, p.rejected_q) for p in pairs.answer] == [
        pytest.approx((0.8, -0.75)),
        pytest.approx((0.55, -0.75)),
        pytest.approx((0.55, -0.2)),
    ]
    assert preference_pairs(tree, RStarMathOptions(answer_pairs=False)).answer == ()


def test_node_is_never_preferred_over_one_of_higher_q() -> None:
    tree, node = grow()
    tree.nodes[node["b"]].value_sum = -8.0  # Q -0.8: correct, but below c
    step_pairs = names(preference_pairs(tree, RStarMathOptions()).step)
    assert ("", "take b", "1/0") in step_pairs
    assert ("", "take b", "take c") not in step_pairs


def test_released_filter_drops_narrow_and_similar_pairs() -> None:
    tree, _ = grow()
    options = PRESETS["released"]
    assert (options.min_q_margin, options.min_edit_distance, options.compare_chains) == (0.5, 20, True)
    pairs = preference_pairs(tree, options)
    assert pairs.step == () and pairs.answer == () and pairs.filtered == 8  # all texts are too much alike
    margin = preference_pairs(tree, RStarMathOptions(min_q_margin=0.7))
    assert margin.filtered == 1 and ("", "take b", "take c") not in names(margin.step)


def test_compare_chains_uses_the_best_finished_chain() -> None:
    tree = Tree(PROBLEM)
    a = tree.add(0, step("a"), visits=2, value_sum=1.0)  # Q 0.5; best chain (0.5 + 0.1) / 2 = 0.3
    tree.add(a, answer("a4", "4"), visits=1, value_sum=0.1, correct=True)
    b = tree.add(0, step("b"), visits=2, value_sum=0.4)  # Q 0.2; best chain (0.2 + 1.0) / 2 = 0.6
    tree.add(b, answer("b4", "4"), visits=1, value_sum=1.0, correct=True)
    tree.add(b, answer("b5", "5"), visits=1, value_sum=-1.0, correct=False)
    assert ("", "a", "b") in names(preference_pairs(tree, RStarMathOptions()).step)
    assert ("", "a", "b") not in names(preference_pairs(tree, RStarMathOptions(compare_chains=True)).step)


def test_tree_of_one_grade_gives_no_pairs() -> None:
    tree = Tree(PROBLEM)
    tree.add(0, answer("4", "4"), visits=1, value_sum=1.0, correct=True)
    assert preference_pairs(tree, RStarMathOptions()).step == ()
    tree.nodes[1].correct = False
    assert preference_pairs(tree, RStarMathOptions()).step == ()


def test_trajectories_carry_values_and_are_deduplicated() -> None:
    tree, _ = grow()
    kept_trajectories = trajectories(tree)
    assert [(t.q, t.values) for t in kept_trajectories] == [
        (pytest.approx(0.8), (0.6, 1.0)),
        (pytest.approx(0.55), (0.1, 1.0)),
    ]
    worse = Trajectory(PROBLEM, kept_trajectories[0].steps, correct=True, q=0.3)
    assert [t.q for t in deduplicate([worse, *kept_trajectories])] == [pytest.approx(0.8), pytest.approx(0.55)]


def test_failed_code_is_found_in_any_step() -> None:
    fine = Trajectory(PROBLEM, (step("x"), answer("4", "4")), correct=True, q=1.0)
    bad = Trajectory(PROBLEM, (Step("x", outcome=Outcome.TIMEOUT), answer("4", "4")), correct=True, q=1.0)
    assert not has_code_error(fine) and has_code_error(bad)


@pytest.mark.parametrize(
    ("a", "b", "distance"), [("kitten", "sitting", 3), ("", "abc", 3), ("abc", "abc", 0), ("flaw", "lawn", 2)]
)
def test_edit_distance_is_compared_with_the_bound(a: str, b: str, distance: int) -> None:
    for least in range(7):
        assert is_distance_at_least(a, b, least) == (distance >= least)
        assert is_distance_at_least(b, a, least) == (distance >= least)


def test_harvest_writes_trajectories_pairs_and_counts(tmp_path: Path) -> None:
    tree, _ = grow()
    again, node = grow()  # a second tree for the same problem, with one more correct solution and one whose code failed
    again.add(node["b"], answer("four", "4"), visits=1, value_sum=1.0, correct=True)
    broken = again.add(0, Step("boom", outcome=Outcome.EXCEPTION), visits=1, value_sum=1.0)
    again.add(broken, answer("4?", "4"), visits=1, value_sum=1.0, correct=True)
    unsolved = Tree(Problem(id="p2", question="?", answer="1", source="made up"))
    unsolved.add(0, answer("2", "2"), visits=1, value_sum=-1.0, correct=False)
    counts = harvest([tree, again, unsolved], RStarMathOptions(), tmp_path)
    lines = (tmp_path / "trajectories.jsonl").read_text().splitlines()
    kept = [serialization.load(Trajectory, line) for line in lines]
    assert [t.q for t in kept] == [pytest.approx(0.8), pytest.approx(0.55)]
    assert len((tmp_path / "pairs.jsonl").read_text().splitlines()) == counts.step_pairs + counts.answer_pairs
    assert counts == RStarMathCounts(
        trees=3,
        problems=2,
        solved=1,
        trajectories=2,
        code_errors=1,
        identical=2,
        beyond_top_k=1,
        all_correct=0,
        all_incorrect=1,
        step_pairs=counts.step_pairs,
        answer_pairs=counts.answer_pairs,
        filtered_pairs=0,
    )
    assert json.loads((tmp_path / "counts.json").read_text())["trees"] == 3


def test_failed_harvest_leaves_no_file(tmp_path: Path) -> None:
    def trees():  # type: ignore[no-untyped-def]
        yield grow()[0]
        raise OSError("disk gone")

    with pytest.raises(OSError, match="disk gone"):
        harvest(trees(), RStarMathOptions(), tmp_path)
    assert list(tmp_path.iterdir()) == []
