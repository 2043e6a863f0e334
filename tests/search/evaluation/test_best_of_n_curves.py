"""Curves over the number of samples, against hand counts and brute force."""

from __future__ import annotations

import math
import random
from itertools import combinations, pairwise
from statistics import fmean

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from search.data import Aggregation
from search.evaluation.best_of_n_curves import (
    ANY,
    MAJORITY,
    METHODS,
    UNFINISHED,
    WEIGHTED,
    ScoredSample,
    accuracy_curves,
    curve_sizes,
    problem_curves,
    vote_curve,
)
from search.evaluation.confidence import wilson
from search.evaluation.voting import best_of_k, majority_at_k, weighted_vote


def log_odds(*probabilities: float) -> tuple[float, ...]:
    return tuple(math.log(p / (1 - p)) for p in probabilities)


# product 0.45 and 0.48, min 0.5 and 0.6, last 0.5 and 0.8, mean 0.7 and 0.7
GOOD, BAD = ScoredSample(log_odds(0.9, 0.5), "1", True), ScoredSample(log_odds(0.6, 0.8), "2", False)
SAMPLES = (GOOD, BAD, UNFINISHED)


def test_problem_curves_by_hand() -> None:
    curves = problem_curves(SAMPLES, (1, 2, 3), Aggregation.PRODUCT)
    third = pytest.approx(1 / 3)
    # Pairs: BAD wins over GOOD, either wins over UNFINISHED.
    assert curves[Aggregation.PRODUCT] == [third, third, 0.0]
    assert curves[Aggregation.MIN] == [third, third, 0.0]
    assert curves[Aggregation.LAST] == [third, third, 0.0]
    assert curves[Aggregation.MEAN] == [third, third, 0.0]  # equal means: the higher lowest step decides
    assert curves[MAJORITY] == [third, pytest.approx((0.5 + 1 + 0) / 3), 0.5]
    assert curves[WEIGHTED] == [third, third, 0.0]
    assert curves[ANY] == [third, pytest.approx(2 / 3), 1.0]
    turned = (GOOD, ScoredSample(log_odds(0.5, 0.9), "2", False))  # the same steps in another order: a tie
    for aggregation in (Aggregation.MEAN, Aggregation.PRODUCT):
        tied = problem_curves(turned, (2,), aggregation)
        assert tied[aggregation] == tied[WEIGHTED] == [0.5]


def test_large_logits_do_not_tie_in_curves() -> None:
    samples = (ScoredSample((50.0, 3.0, 50.0), "2", False), ScoredSample((50.0, 3.0, 60.0), "1", True))
    curves = problem_curves(samples, (2,), Aggregation.LAST)
    assert {name: curves[name] for name in (*Aggregation, WEIGHTED)} == {
        Aggregation.LAST: [1.0],
        Aggregation.MIN: [0.5],  # by definition
        Aggregation.MEAN: [1.0],
        Aggregation.PRODUCT: [1.0],
        WEIGHTED: [1.0],
    }


def test_accuracy_curves_are_means_over_problems() -> None:
    curves = accuracy_curves([SAMPLES, (GOOD, GOOD), ()], (1, 3), Aggregation.LAST)
    assert set(curves) == set(METHODS)
    first, last = curves[Aggregation.LAST]
    assert first.mean == pytest.approx((1 / 3 + 2 / 3 + 0) / 3)
    assert last == wilson(1, 3)
    assert curves[MAJORITY][1].mean == pytest.approx((0.5 + 1 + 0) / 3)
    assert [interval.n for interval in curves[ANY]] == [3, 3]
    with pytest.raises(ValueError, match="no samples"):
        accuracy_curves([(), ()], (1,), Aggregation.LAST)


@pytest.mark.parametrize(("scores", "answer", "correct"), [((), None, True), ((), "1", False)])
def test_sample_is_refused_when_impossible(scores: tuple[float, ...], answer: str | None, correct: bool) -> None:
    with pytest.raises(ValueError, match="a sample with"):
        ScoredSample(scores, answer, correct)


ANSWERS = ["1", "2", "1.0", None, "2", "3", "1", "2", "4", None, "3", "2"]
CORRECT = [answer in ("1", "1.0") for answer in ANSWERS]
WEIGHTS = [math.sqrt(prime) % 1 for prime in (2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37)]  # no two sums are equal


def test_vote_curve_equals_majority_at_k_for_equal_weights() -> None:
    sizes = tuple(range(1, 9))
    exact = vote_curve(ANSWERS[:8], CORRECT[:8], [1.0] * 8, sizes)
    assert exact == pytest.approx([majority_at_k(ANSWERS[:8], CORRECT[:8], size) for size in sizes])


def test_vote_curve_is_the_mean_over_all_subsets() -> None:
    for size, value in zip((2, 3, 11, 12), vote_curve(ANSWERS, CORRECT, WEIGHTS, (2, 3, 11, 12)), strict=True):
        wins = [
            weighted_vote([ANSWERS[i] for i in subset], [WEIGHTS[i] for i in subset]) in ("1", "1.0")
            for subset in combinations(range(12), size)
        ]
        assert value == pytest.approx(fmean(wins))


def test_vote_curve_is_seeded_and_close_when_sampled() -> None:
    exact = vote_curve(ANSWERS, CORRECT, WEIGHTS, (6,), trials=math.comb(12, 6))
    drawn = vote_curve(ANSWERS, CORRECT, WEIGHTS, (5, 6, 12), seed=3)
    assert drawn == vote_curve(ANSWERS, CORRECT, WEIGHTS, (5, 6, 12), seed=3)
    assert drawn != vote_curve(ANSWERS, CORRECT, WEIGHTS, (5, 6, 12), seed=4)
    assert drawn[1] == pytest.approx(exact[0], abs=0.07)  # three standard errors of 400 coins
    assert drawn[2] == vote_curve(ANSWERS, CORRECT, WEIGHTS, (12,))[0]


def test_equal_sums_share_the_win_in_any_order_of_addition() -> None:
    # 0.1 + 0.2 + 0.3 and 0.3 + 0.2 + 0.1 differ as floating-point numbers.
    answers, weights = ["1", "1", "1", "2", "2", "2"], [0.1, 0.2, 0.3, 0.3, 0.2, 0.1]
    assert vote_curve(answers, [True] * 3 + [False] * 3, weights, (6,)) == [0.5]
    assert vote_curve(["1", None], [True, False], [0.0, 0.0], (2,)) == [1.0]
    with pytest.raises(ValueError, match="between 1 and the number of samples, 2"):
        vote_curve(["1", None], [True, False], [0.0, 0.0], (3,))


def test_curve_sizes_are_all_or_at_most_64() -> None:
    assert curve_sizes(5) == (1, 2, 3, 4, 5)
    sizes = curve_sizes(1860)
    assert (sizes[:3], sizes[-1]) == ((1, 2, 3), 1860)
    assert len(sizes) <= 64
    assert all(late / early < 1.5 for early, late in pairwise(sizes[3:]))


def test_best_of_k_is_finite_for_thousands_of_samples() -> None:
    correct = [True] + [False] * 1999
    assert best_of_k(correct, [1.0] + [0.0] * 1999, 1000) == pytest.approx(0.5)
    rng = random.Random(2)
    ranked = [rng.random() < 0.5 for _ in range(40)]
    weights = [math.comb(39 - i, 16) / math.comb(40, 17) for i in range(24)]
    assert best_of_k(ranked, [-float(i) for i in range(40)], 17) == pytest.approx(
        sum(weight for weight, is_correct in zip(weights, ranked, strict=False) if is_correct)
    )


samples = st.builds(
    lambda score, answer: ScoredSample(log_odds(score), answer, answer == "1") if answer else UNFINISHED,
    st.sampled_from([0.1, 0.5, 0.9]),
    st.sampled_from(["1", "2", "3", None]),
)


@settings(deadline=None, max_examples=50)
@given(st.lists(samples, min_size=1, max_size=7), st.randoms())
def test_curves_start_at_the_share_and_stay_below_any(drawn: list[ScoredSample], rng: random.Random) -> None:
    sizes = tuple(range(1, len(drawn) + 1))
    curves = problem_curves(drawn, sizes, Aggregation.LAST)
    share = fmean(sample.correct for sample in drawn)
    for name in METHODS:
        assert curves[name][0] == pytest.approx(share)
        assert all(value <= most + 1e-12 for value, most in zip(curves[name], curves[ANY], strict=True))
    shuffled = list(drawn)
    rng.shuffle(shuffled)
    again = problem_curves(shuffled, sizes, Aggregation.LAST)
    assert all(again[name] == pytest.approx(curves[name]) for name in METHODS)
