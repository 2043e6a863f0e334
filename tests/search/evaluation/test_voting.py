"""Votes and their expectations, against hand counts and brute force over every subset."""

from __future__ import annotations

import random
from itertools import combinations, permutations
from statistics import fmean

import pytest

from search.data import Aggregation
from search.evaluation.aggregation import aggregate
from search.evaluation.voting import best_of_k, best_of_n, majority, majority_at_k, pass_at_k, weighted_vote


def test_majority_merges_notations_and_returns_the_first() -> None:
    assert majority(["3", "0.5", "1/2", "\\frac{1}{2}", "3"]) == "0.5"
    assert majority(["4", "5", "5", "4"]) == "4"
    assert majority([None, None, None, "7"]) == "7"
    assert majority([None, None]) is None
    assert majority([]) is None


def test_weighted_vote_sums_weights() -> None:
    assert weighted_vote(["1", "2", "2", "3"], [0.5, 0.2, 0.2, 0.3]) == "1"
    assert weighted_vote(["1", "2", "2", "3"], [0.3, 0.2, 0.2, 0.3]) == "2"
    assert weighted_vote(["1", "2"], [0.0, 0.0]) == "1"
    with pytest.raises(ValueError, match=r"0 or more, not -0\.1"):
        weighted_vote(["1", "2"], [0.5, -0.1])
    with pytest.raises(ValueError, match="0 or more"):
        weighted_vote(["1"], [float("nan")])
    with pytest.raises(ValueError, match="argument 2"):
        weighted_vote(["1", "2"], [0.5])


def test_best_of_n_is_the_best_scored_answer() -> None:
    assert best_of_n(["1", None, "3", "4"], [0.1, 0.9, 0.7, 0.7]) == "3"
    assert best_of_n([None], [1.0]) is None


@pytest.mark.parametrize(
    ("aggregation", "value"),
    [(Aggregation.PRODUCT, 0.1), (Aggregation.MIN, 0.25), (Aggregation.LAST, 0.5), (Aggregation.MEAN, 1.55 / 3)],
)
def test_aggregate_by_hand(aggregation: Aggregation, value: float) -> None:
    assert aggregate([0.8, 0.25, 0.5], aggregation) == pytest.approx(value)


def test_aggregate_refuses_impossible_scores() -> None:
    with pytest.raises(ValueError, match="no step scores"):
        aggregate([], Aggregation.MEAN)
    with pytest.raises(ValueError, match="probabilities"):
        aggregate([0.5, -0.5], Aggregation.PRODUCT)
    assert aggregate([0.5, -0.5], Aggregation.MIN) == -0.5


def test_best_of_k_by_hand() -> None:
    # Best first: correct, incorrect, incorrect. Two of three drawn: {1,2} and {1,3} hold the best, {2,3} does not.
    assert best_of_k([True, False, False], [3.0, 2.0, 1.0], 2) == pytest.approx(2 / 3)
    assert best_of_k([True, False, False], [1.0, 2.0, 3.0], 2) == 0.0
    assert best_of_k([True, False, False, True], [1.0, 2.0, 3.0, 4.0], 1) == 0.5
    assert best_of_k([False, True], [0.0, 0.0], 2) == 0.5
    assert best_of_k([True], [0.0], 1) == 1.0


@pytest.mark.parametrize("k", [1, 2, 3, 4, 5, 6])
def test_best_of_k_is_the_mean_over_subsets_with_random_ties(k: int) -> None:
    scores = [0.3, 0.9, 0.3, 0.9, 0.1, 0.3]
    correct = [True, False, False, True, True, True]

    def pick(subset: tuple[int, ...]) -> float:
        top = max(scores[i] for i in subset)
        return fmean(correct[i] for i in subset if scores[i] == top)

    expected = fmean(pick(subset) for subset in combinations(range(6), k))
    assert best_of_k(correct, scores, k) == pytest.approx(expected)


def test_best_of_k_is_independent_of_the_order() -> None:
    rng = random.Random(1)
    rows = [(rng.random() < 0.5, rng.choice([0.1, 0.2, 0.3])) for _ in range(9)]
    values = set()
    for _ in range(20):
        rng.shuffle(rows)
        values.add(round(best_of_k([c for c, _ in rows], [s for _, s in rows], 4), 12))
    assert len(values) == 1


@pytest.mark.parametrize("k", [0, 3])
def test_k_is_refused_when_out_of_range(k: int) -> None:
    with pytest.raises(ValueError, match=f"between 1 and the number of samples, 2, not {k}"):
        best_of_k([True, False], [1.0, 2.0], k)


def test_pass_at_k_by_hand() -> None:
    assert pass_at_k([True, False, False, False], 2) == pytest.approx(0.5)
    assert pass_at_k([False, False], 2) == 0.0
    assert pass_at_k([True, True, False], 2) == 1.0


def test_majority_at_n_shares_a_tie() -> None:
    assert majority_at_k(["1", "1", "2", "2", "3"], [True, True, False, False, False], 5) == 0.5
    assert majority_at_k(["1", "1", "2", None, None, None], [True, True, False, False, False, False], 6) == 1.0
    assert majority_at_k([None, None], [False, False], 2) == 0.0


def test_majority_at_k_is_the_mean_over_ordered_draws() -> None:
    answers = ["1", "2", "1.0", None, "2", "3"]
    correct = [True, False, True, False, False, False]
    for k in (1, 2, 3, 4):
        wins = []
        for draw in permutations(range(6), k):
            winner = majority([answers[i] for i in draw])
            wins.append(winner is not None and float(winner) == 1.0)
        assert majority_at_k(answers, correct, k) == pytest.approx(fmean(wins))


def test_majority_at_k_is_seeded_and_close_when_sampled() -> None:
    answers = ["1"] * 9 + ["2"] * 7 + ["3"] * 4
    correct = [answer == "1" for answer in answers]
    exact = majority_at_k(answers, correct, 4, trials=10_000)
    sampled = majority_at_k(answers, correct, 4, seed=3, trials=2000)
    assert sampled == majority_at_k(answers, correct, 4, seed=3, trials=2000)
    assert sampled != exact
    assert sampled == pytest.approx(exact, abs=0.04)
