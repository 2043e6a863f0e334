"""One tree through each preset, and what comes out by hand; where the presets come from stands in options.py."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from tests.train.rules.rstar_math.hand_tree import hand_tree, names, pairs_of
from train.rules.base import RoundTrees
from train.rules.registry import rule_options
from train.rules.rstar_math.harvest import harvest
from train.rules.rstar_math.options import PRESETS, RStarMathOptions


def test_paper_pairs_are_those_by_hand() -> None:
    pairs = pairs_of(hand_tree()[0], preset="paper")
    # Below the root a (0.75) and b (-0.5) lead to a correct answer; c (-1), e (-1), b and a lead to an incorrect one, d only
    # to an error. Two best over two worst: a, b over c, e.
    # Below a: the only correct a1 (1) over the first two of a2 ... a6 (all -1).
    # Below b: b1 (-0.9) over b2 (-1).
    assert names(pairs.step) == [
        ": a > c", ": a > e", ": b > c", ": b > e",
        "a: a1 > a2", "a: a1 > a3",
        "b: b1 > b2",
    ]  # fmt: skip
    assert [(pair.chosen_q, pair.rejected_q) for pair in pairs.step] == [
        (0.75, -1), (0.75, -1), (-0.5, -1), (-0.5, -1), (1, -1), (1, -1), (-0.9, -1),
    ]  # fmt: skip
    # Mean Q of correct solutions: a-a1 (0.75 + 1) / 2 = 0.875, b-b1-b11 (-0.5 - 0.9 + 1) / 3 = -0.1333.
    # Of incorrect ones: c -1, b-b2 (-0.5 - 1) / 2 = -0.75, a-a2 ... a-a6 (0.75 - 1) / 2 = -0.125,
    # e-e1-e2-e3 (-1 + 1 + 1 - 1) / 4 = 0. Two best over two worst; all four prefixes differ.
    assert names(pairs.answer) == [": a-a1 > c", ": a-a1 > b-b2", ": b-b1-b11 > c", ": b-b1-b11 > b-b2"]
    assert [(pair.chosen_q, pair.rejected_q) for pair in pairs.answer] == [
        pytest.approx((0.875, -1)),
        pytest.approx((0.875, -0.75)),
        pytest.approx((-0.4 / 3, -1)),
        pytest.approx((-0.4 / 3, -0.75)),
    ]
    assert pairs.filtered == 0
    assert {pair.weight for pair in [*pairs.step, *pairs.answer]} == {1.0}


def test_released_pairs_are_those_by_hand() -> None:
    pairs = pairs_of(hand_tree()[0], preset="released")
    # Below the root a, b over c, e as in the paper. Mean Q of the best continuation: a-a1 0.875, b-b1-b11 -0.1333; of the
    # worst: c -1, e-e1-e2-e3 0.
    #   a > c   margin 1.75, 0.875 > -1: kept            a > e   margin 1.75, 0.875 > 0: kept
    #   b > c   margin 0.5, -0.1333 > -1, but the texts differ by one character: left out
    #   b > e   margin 0.5, but -0.1333 < 0: left out
    # Below a, one candidate is preferred, so that up to four are rejected: a2, a3, a4, a5, not a6. a2 differs by one character.
    # Below b: margin -0.9 + 1 = 0.1 < 0.5.
    assert names(pairs.step) == [": a > c", ": a > e", "a: a1 > a3", "a: a1 > a4", "a: a1 > a5"]
    assert [pair.weight for pair in pairs.step] == [0.25] * 5  # 2 x 2 below the root, 1 x 4 below a
    assert pairs.answer == []
    assert pairs.filtered == 4  # b > c, b > e, a1 > a2, b1 > b2


@pytest.mark.parametrize("preset", ["paper", "released"])
def test_trajectories_are_those_by_hand(preset: str, tmp_path: Path) -> None:
    counts = harvest(
        [RoundTrees(number=1, trees=[hand_tree()[0]])], RStarMathOptions.model_validate({"preset": preset}), tmp_path
    )
    assert counts.trajectories == 2  # a-a1 and b-b1-b11, the only correct ones
    assert (tmp_path / "trajectories.jsonl").read_text().count("\n") == 2
    assert (counts.step_pairs, counts.answer_pairs) == {"paper": (7, 4), "released": (5, 0)}[preset]


def test_defaults_are_those_of_the_paper() -> None:
    assert RStarMathOptions(preset="paper").model_copy(update={"preset": None}) == RStarMathOptions()


def test_given_options_go_before_the_preset() -> None:
    options = rule_options("rstar_math", {"preset": "released", "min_q_margin": 0.25})
    assert options == RStarMathOptions(**{**PRESETS["released"], "preset": "released", "min_q_margin": 0.25})
    with pytest.raises(ValidationError, match="'paper' or 'released'"):
        rule_options("rstar_math", {"preset": "magic"})
