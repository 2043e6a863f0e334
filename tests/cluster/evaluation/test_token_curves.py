"""Accuracy over real tokens: interpolation, ends of curves, and differences paired by problem, by hand."""

from __future__ import annotations

import pytest

from cluster.evaluation.token_curves import (
    accuracies_at,
    chosen_reading,
    chosen_values,
    curve_points,
    readings_of,
    values_at,
)
from tests.cluster.evaluation.made_up_comparison import cell

BASE = [
    cell("best_of_n", 400, {"best": [1, 0, 0, 0], "majority": [0, 0, 0, 0], "coverage": [1, 1, 0, 0]}, budget=500),
    cell("best_of_n", 1600, {"best": [1, 1, 0, 0], "majority": [1, 0, 0, 0], "coverage": [1, 1, 1, 0]}, budget=1500),
]


def test_accuracy_is_interpolated_by_problem_in_log_tokens() -> None:
    points = curve_points(BASE)["best_of_n"]
    read = accuracies_at(points, "best", 800)  # half way between 400 and 1600
    assert read is not None and read[0] == 800 and read[1] == pytest.approx([1, 0.5, 0, 0])
    assert accuracies_at(points, "best", 400) == (400, [1, 0, 0, 0])
    assert accuracies_at(points, "best", 5000) == (1600, [1, 1, 0, 0])
    assert accuracies_at(points, "best", 10) == (400, [1, 0, 0, 0])
    assert accuracies_at(points, "weighted", 800) is None


def test_points_at_equal_tokens_count_as_their_mean() -> None:
    alike = [cell("mcts", 800, {"best": [1, 0]}, budget=1000), cell("mcts", 800, {"best": [1, 1]}, budget=2000)]
    ends = [cell("mcts", 200, {"best": [0, 0]}, budget=250), cell("mcts", 3200, {"best": [1, 1]}, budget=4000)]
    points = curve_points([*ends, *alike])["mcts"]
    assert accuracies_at(points, "best", 800) == (800, [1, 0.5])
    assert accuracies_at(points, "best", 400) == (400, pytest.approx([0.5, 0.25]))
    assert accuracies_at(points, "best", 1600) == (1600, pytest.approx([1, 0.75]))


def test_strategy_that_spends_nothing_is_no_error() -> None:
    values = values_at(curve_points([*BASE, cell("mcts", 0, {"best": [0, 0, 0, 0]})]), "best", [500], "best_of_n")
    assert [(value.tokens, value.difference) for value in values if value.strategy == "mcts"] == [(0, None)]


def test_point_is_the_mean_of_seeds_by_problem() -> None:
    seeds = [cell("mcts", 500, {"best": [1, 0]}), cell("mcts", 700, {"best": [1, 1]}, repeat=1, budget=500)]
    (point,) = curve_points(seeds)["mcts"]
    assert (point.tokens, point.accuracies, point.accuracy_by_seed) == (600, {"best": (1, 0.5)}, {"best": (0.5, 1.0)})
    assert (point.cost.latency, point.cost.seconds, point.cost.flops) == (1.5, 0.25, 3e9)


def test_difference_is_within_a_reading_at_the_same_tokens() -> None:
    mcts = cell("mcts", 800, {"best": [1, 1, 1, 0], "majority": [1, 1, 0, 0], "coverage": [1, 1, 1, 1]})
    curves = curve_points([*BASE, mcts])
    (best,) = [value for value in values_at(curves, "best", [800], "best_of_n") if value.strategy == "mcts"]
    assert best.difference is not None and best.is_reached
    assert best.difference.mean == pytest.approx((0 + 0.5 + 1 + 0) / 4) and best.difference.n == 4
    assert best.difference.low <= best.difference.mean <= best.difference.high
    (majority,) = [value for value in values_at(curves, "majority", [800], "best_of_n") if value.strategy == "mcts"]
    assert majority.difference is not None and majority.difference.mean == pytest.approx((0.5 + 1) / 4)


def test_loss_is_split_into_not_found_and_not_chosen() -> None:
    values = values_at(curve_points(BASE), "best", [1600], "best_of_n")
    assert [(value.accuracy.mean, value.not_found) for value in values] == [(0.5, 0.25)]  # a quarter is not chosen


def test_strategy_that_spends_less_is_compared_at_its_own_tokens() -> None:
    beam = cell("beam", 500, {"best": [1, 1, 0, 0], "coverage": [1, 1, 1, 0]})
    curves = curve_points([*BASE, beam])
    values = [value for value in values_at(curves, "best", [500, 1000, 2000], "best_of_n") if value.strategy == "beam"]
    assert [(value.budget, value.tokens, value.is_reached) for value in values] == [
        (500, 500, True),
        (1000, 500, False),
        (2000, 500, False),
    ]
    assert values[1].difference == values[0].difference  # both at 500 tokens
    greedy = cell("greedy", 100, {"best": [0, 0, 0, 0], "coverage": [0, 0, 0, 0]}, budget=500, option=None)
    (value,) = [
        v for v in values_at(curve_points([*BASE, greedy]), "best", [500, 1000], "best_of_n") if v.strategy == "greedy"
    ]
    assert not value.is_reached and value.difference is None  # samples never cost so little


def test_reading_that_one_cell_lacks_is_left_out() -> None:
    sampling = cell("majority", 500, {"majority": [1, 0, 0, 0], "coverage": [1, 0, 0, 0]})
    curves = curve_points([*BASE, sampling])
    assert readings_of(curves) == ["best", "majority", "coverage"]
    assert {value.strategy for value in values_at(curves, "best", [500], "best_of_n")} == {"best_of_n"}


def test_reading_is_chosen_by_validation_over_all_runs() -> None:
    accuracies = {"best": [1, 0], "majority": [0, 0], "coverage": [1, 1]}
    cells = [
        cell("mcts", 500, accuracies, validation={"best": 0.4, "majority": 0.5, "coverage": 0.9}),
        cell("mcts", 500, accuracies, repeat=1, validation={"best": 0.7, "majority": 0.5, "coverage": 0.9}),
    ]
    curves = curve_points(cells)
    assert chosen_reading(curves["mcts"], 500) == "best" and chosen_reading(curves["mcts"], 900) is None
    (value,) = chosen_values(curves, [500], "mcts")
    assert (value.reading, value.accuracy.mean) == ("best", 0.5)
    assert value.difference is not None and value.difference.mean == 0.0
