"""Votes over several trees of one problem, by hand."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import combinations

import pytest

from search.data import Aggregation, Step, StepStatus
from search.evaluation import tree_votes
from search.evaluation.tree_votes import ReadableTrees, VoteRule, readable_trees, vote_accuracies
from search.tree import ROOT, Tree
from tests.fakes.words import PROBLEM

Solution = tuple[str | None, float | None] | tuple[str | None, float | None, int]


def tree_of(number: int, *solutions: Solution, answer: str | None = None) -> Tree:
    """Return a tree with a solution a branch: answer, probability by the reward model, multiplicity (1)."""
    tree = Tree(PROBLEM, number=number, answer=answer)
    for text, probability, *multiplicity in solutions:
        status = StepStatus.NO_ANSWER if text is None else StepStatus.FINAL
        end = tree.add(ROOT, Step(f"{text} {probability}", status=status, answer=text))
        tree.nodes[end].multiplicity = multiplicity[0] if multiplicity else 1
        tree.nodes[end].logit = None if probability is None else math.log(probability / (1 - probability)) / 2
    return tree


def is_seven(answer: str) -> bool:
    return answer in ("7", "7.0", "14/2")


def read(*trees: Tree, number: int | None = None) -> ReadableTrees:
    return readable_trees(trees, number or len(trees), Aggregation.LAST, is_seven)


def rounded(accuracies: dict[str, float]) -> dict[str, float]:
    return {reading: round(accuracy, 6) for reading, accuracy in accuracies.items()}


THREE = (
    tree_of(0, ("7", 0.4), ("8", 0.3)),
    tree_of(1, ("7.0", 0.5), (None, None)),
    tree_of(2, ("8", 0.95), ("9", 0.1)),
)


def test_best_answers_of_all_trees_vote() -> None:
    """Weights of 7: 0.4 + 0.5, of 8: 0.95. The 8 of the first tree and the 9 of the last are not their best."""
    assert rounded(vote_accuracies(read(*THREE), 3)) == {"best": 0, "weighted": 0, "majority": 1, "coverage": 1}


def test_votes_of_k_trees_are_means_over_all_subsets() -> None:
    """Of {0, 1}, {0, 2}, {1, 2}: the majority wins one whole and two halves, best and weighted win the first only."""
    accuracies = rounded(vote_accuracies(read(*THREE), 2))
    assert accuracies == {"best": 0.333333, "weighted": 0.333333, "majority": 0.666667, "coverage": 1}
    assert rounded(vote_accuracies(read(*THREE), 1)) == dict.fromkeys(
        ("best", "weighted", "majority", "coverage"), 0.666667
    )


def test_several_solutions_of_a_tree_vote_when_the_rule_says_so() -> None:
    """Two a tree: 7 (0.4), 8 (0.3), 7 (0.5), 8 (0.95), 9 (0.1): two votes each for 7 and 8, weights 0.9 and 1.25."""
    accuracies = vote_accuracies(read(*THREE), 3, VoteRule(per_tree=2))
    assert rounded(accuracies) == {"best": 0, "weighted": 0, "majority": 0.5, "coverage": 1}
    drawn_twice = read(tree_of(0, ("8", 0.6, 2), ("7", 0.5)), tree_of(1, ("7", 0.9)))
    assert rounded(vote_accuracies(drawn_twice, 2, VoteRule(per_tree=2)))["majority"] == 0  # 8 twice, as it was drawn


def test_only_the_top_solutions_of_all_trees_vote() -> None:
    """rStar-Math's top K: of 0.95, 0.5 and 0.4 the two best are one 8 and one 7."""
    accuracies = rounded(vote_accuracies(read(*THREE), 3, VoteRule(top=2)))
    assert accuracies == {"best": 0, "weighted": 0, "majority": 0.5, "coverage": 1}
    assert rounded(vote_accuracies(read(*THREE), 3, VoteRule(top=1)))["majority"] == 0


def test_missing_tree_has_no_vote_and_no_coverage() -> None:
    trees = read(THREE[0], THREE[1], number=4)
    assert [len(voters) for voters in trees.voters] == [2, 1, 0, 0]
    assert rounded(vote_accuracies(trees, 1)) == dict.fromkeys(("best", "weighted", "majority", "coverage"), 0.5)
    assert vote_accuracies(trees, 2)["coverage"] == pytest.approx(5 / 6)  # only the two missing ones together have none
    assert rounded(vote_accuracies(read(number=2), 2)) == dict.fromkeys(("best", "weighted", "majority", "coverage"), 0)


def test_coverage_counts_solutions_that_do_not_vote() -> None:
    trees = read(tree_of(0, ("8", 0.9), ("7", 0.1)), tree_of(1, ("9", 0.9)))
    assert rounded(vote_accuracies(trees, 2)) == {"best": 0, "weighted": 0, "majority": 0, "coverage": 1}
    assert vote_accuracies(trees, 1)["coverage"] == 0.5


def test_answers_of_equal_rank_share_a_tree_in_expectation() -> None:
    """The best of the only tree is 7 or 8 by chance; of the two trees a vote for 8 is certain."""
    tied = tree_of(0, ("7", 0.5), ("8", 0.5))
    assert vote_accuracies(read(tied), 1)["majority"] == pytest.approx(0.5, abs=0.3)
    assert vote_accuracies(read(tied), 1) == vote_accuracies(read(tied), 1)  # seeded
    assert vote_accuracies(read(tied, tree_of(1, ("8", 0.6))), 2)["best"] == 0
    share = vote_accuracies(read(tied, tree_of(1, ("8", 0.4))), 2, seed=3)["best"]
    assert 0 < share < 1 and share * tree_votes.TIE_DRAWS == round(share * tree_votes.TIE_DRAWS)


def test_random_subsets_agree_with_all_when_there_are_many(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = [("7", 0.3), ("8", 0.6), ("7", 0.7), ("9", 0.5), ("7", 0.2), ("8", 0.8), ("8", 0.1), ("7", 0.9)]
    trees = read(*(tree_of(number, solution) for number, solution in enumerate(answers)))
    exact = vote_accuracies(trees, 4)
    wins = [(max(subset, key=lambda one: one[1])[0] == "7") for subset in combinations(answers, 4)]
    assert exact["best"] == pytest.approx(sum(wins) / 70)
    monkeypatch.setattr(tree_votes, "MAX_SUBSETS", 69)
    sampled = vote_accuracies(trees, 4)
    assert sampled != exact
    for reading, accuracy in exact.items():
        assert sampled[reading] == pytest.approx(accuracy, abs=0.2), reading


def test_tree_without_rewards_is_read_by_its_own_answer() -> None:
    unscored = tree_of(0, ("8", None), ("8", None), ("7", None), answer="7")
    assert rounded(vote_accuracies(read(unscored), 1)) == dict.fromkeys(("best", "weighted", "majority", "coverage"), 1)
    scored = tree_of(0, ("8", 0.6), ("7", 0.5), answer="7")
    assert vote_accuracies(read(scored), 1)["best"] == 0


def test_trees_must_differ_in_their_numbers() -> None:
    with pytest.raises(ValueError, match=f"problem {PROBLEM.id}, tree 1: 3 trees have the numbers 0 to 2, each once"):
        read(THREE[0], THREE[1], replace(THREE[1]))
    with pytest.raises(ValueError, match="1 trees have the numbers"):
        read(THREE[1], number=1)


@pytest.mark.parametrize("k", [0, 4])
def test_impossible_k_is_refused(k: int) -> None:
    with pytest.raises(ValueError, match=f"not {k}"):
        vote_accuracies(read(*THREE), k)
