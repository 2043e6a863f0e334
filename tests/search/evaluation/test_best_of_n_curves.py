"""Curves by the number of samples, against hand counts and brute force."""

from __future__ import annotations

import math
import random
from itertools import combinations, pairwise
from statistics import fmean

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from search.evaluation.best_of_n_curves import (
    ANY,
    MAJORITY,
    METHODS,
    UNFINISHED,
    WEIGHTED,
    JudgedSample,
    curves,
    points,
    problem_curves,
    vote_curve,
)
from search.evaluation.confidence import wilson
from search.evaluation.voting import Aggregation, best_of_k, majority_at_k, weighted_vote

# product 0.45 and 0.48, min 0.5 and 0.6, last 0.5 and 0.8, mean 0.7 and 0.7
RIGHT, WRONG = JudgedSample((0.9, 0.5), "1", True), JudgedSample((0.6, 0.8), "2", False)
SAMPLES = (RIGHT, WRONG, UNFINISHED)


def test_every_method_by_hand() -> None:
    found = problem_curves(SAMPLES, (1, 2, 3), Aggregation.PRODUCT)
    third = pytest.approx(1 / 3)
    # Pairs: the wrong one wins over the right one, either wins over the unfinished one.
    assert found[Aggregation.PRODUCT] == [third, third, 0.0]
    assert found[Aggregation.MIN] == [third, third, 0.0]
    assert found[Aggregation.LAST] == [third, third, 0.0]
    assert found[Aggregation.MEAN] == [third, pytest.approx((0.5 + 1 + 0) / 3), pytest.approx(0.5)]
    assert found[MAJORITY] == [third, pytest.approx((0.5 + 1 + 0) / 3), 0.5]
    assert found[WEIGHTED] == [third, third, 0.0]
    assert found[ANY] == [third, pytest.approx(2 / 3), 1.0]
    assert problem_curves(SAMPLES, (3,), Aggregation.MEAN)[WEIGHTED] == [0.5]


def test_curves_are_means_over_problems_with_wilsons_interval_and_missing_samples_are_unfinished() -> None:
    found = curves([SAMPLES, (RIGHT, RIGHT), ()], (1, 3), Aggregation.LAST)
    assert set(found) == set(METHODS)
    first, last = found[Aggregation.LAST]
    assert first.mean == pytest.approx((1 / 3 + 2 / 3 + 0) / 3)
    assert last == wilson(1, 3)
    assert found[MAJORITY][1].mean == pytest.approx((0.5 + 1 + 0) / 3)
    assert [interval.n for interval in found[ANY]] == [3, 3]
    with pytest.raises(ValueError, match="no samples"):
        curves([(), ()], (1,), Aggregation.LAST)


@pytest.mark.parametrize(("scores", "answer", "right"), [((), None, True), ((), "1", False)])
def test_samples_that_cannot_be_are_refused(scores: tuple[float, ...], answer: str | None, right: bool) -> None:
    with pytest.raises(ValueError, match="a sample with"):
        JudgedSample(scores, answer, right)


ANSWERS = ["1", "2", "1.0", None, "2", "3", "1", "2", "4", None, "3", "2"]
CORRECT = [answer in ("1", "1.0") for answer in ANSWERS]
WEIGHTS = [math.sqrt(prime) % 1 for prime in (2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37)]  # no two sums are equal


def test_the_majority_is_that_of_voting() -> None:
    sizes = tuple(range(1, 9))
    exact = vote_curve(ANSWERS[:8], CORRECT[:8], [1.0] * 8, sizes)
    assert exact == pytest.approx([majority_at_k(ANSWERS[:8], CORRECT[:8], size) for size in sizes])


def test_a_weighted_vote_is_the_mean_over_all_subsets() -> None:
    for size, value in zip((2, 3, 11, 12), vote_curve(ANSWERS, CORRECT, WEIGHTS, (2, 3, 11, 12)), strict=True):
        wins = [
            weighted_vote([ANSWERS[i] for i in subset], [WEIGHTS[i] for i in subset]) in ("1", "1.0")
            for subset in combinations(range(12), size)
        ]
        assert value == pytest.approx(fmean(wins))


def test_random_orders_are_seeded_and_near_the_mean_over_all_subsets() -> None:
    exact = vote_curve(ANSWERS, CORRECT, WEIGHTS, (6,), trials=math.comb(12, 6))
    drawn = vote_curve(ANSWERS, CORRECT, WEIGHTS, (5, 6, 12), seed=3)
    assert drawn == vote_curve(ANSWERS, CORRECT, WEIGHTS, (5, 6, 12), seed=3)
    assert drawn != vote_curve(ANSWERS, CORRECT, WEIGHTS, (5, 6, 12), seed=4)
    assert drawn[1] == pytest.approx(exact[0], abs=0.07)  # three standard errors of 400 coins
    assert drawn[2] == vote_curve(ANSWERS, CORRECT, WEIGHTS, (12,))[0]


def test_equal_sums_share_the_win_whatever_the_order_they_were_added_in() -> None:
    # 0.1 + 0.2 + 0.3 and 0.3 + 0.2 + 0.1 differ as floating-point numbers.
    answers, weights = ["1", "1", "1", "2", "2", "2"], [0.1, 0.2, 0.3, 0.3, 0.2, 0.1]
    assert vote_curve(answers, [True] * 3 + [False] * 3, weights, (6,)) == [0.5]
    assert vote_curve(["1", None], [True, False], [0.0, 0.0], (2,)) == [1.0]
    with pytest.raises(ValueError, match="between 1 and the number of samples, 2"):
        vote_curve(["1", None], [True, False], [0.0, 0.0], (3,))


def test_points_are_all_of_a_short_curve_and_64_at_most_of_a_long_one() -> None:
    assert points(5) == (1, 2, 3, 4, 5)
    long = points(1860)
    assert (long[:3], long[-1]) == ((1, 2, 3), 1860)
    assert len(long) <= 64
    assert all(late / early < 1.5 for early, late in pairwise(long[3:]))


def test_best_of_thousands_is_a_number() -> None:
    correct = [True] + [False] * 1999
    assert best_of_k(correct, [1.0] + [0.0] * 1999, 1000) == pytest.approx(0.5)
    rng = random.Random(2)
    ranked = [rng.random() < 0.5 for _ in range(40)]
    weights = [math.comb(39 - i, 16) / math.comb(40, 17) for i in range(24)]
    assert best_of_k(ranked, [-float(i) for i in range(40)], 17) == pytest.approx(
        sum(weight for weight, right in zip(weights, ranked, strict=False) if right)
    )


samples = st.builds(
    lambda score, answer: JudgedSample((score,), answer, answer == "1") if answer else UNFINISHED,
    st.sampled_from([0.1, 0.5, 0.9]),
    st.sampled_from(["1", "2", "3", None]),
)


@settings(deadline=None, max_examples=50)
@given(st.lists(samples, min_size=1, max_size=7), st.randoms())
def test_one_sample_is_worth_the_share_of_right_ones_and_no_curve_passes_any(
    drawn: list[JudgedSample], rng: random.Random
) -> None:
    sizes = tuple(range(1, len(drawn) + 1))
    found = problem_curves(drawn, sizes, Aggregation.LAST)
    share = fmean(sample.right for sample in drawn)
    for name in METHODS:
        assert found[name][0] == pytest.approx(share)
        assert all(value <= most + 1e-12 for value, most in zip(found[name], found[ANY], strict=True))
    shuffled = list(drawn)
    rng.shuffle(shuffled)
    again = problem_curves(shuffled, sizes, Aggregation.LAST)
    assert all(again[name] == pytest.approx(found[name]) for name in METHODS)
