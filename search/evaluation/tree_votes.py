"""Read the answer of a problem from several of its trees: the best solutions of each tree vote.

    tree 0 ──> its ``per_tree`` best solutions by reward ──┐
    tree 1 ──> …                                           ├──> the ``top`` best of them ──> best, weighted, majority
    tree 2 ──> …                                           ┘

rStar-Math at test time takes one best answer from each tree by the PPM's score and the majority over the top of them
(arXiv 2501.04519; ``eval_maj.py`` of the released code: ``max_node_per_tree`` 1, ``top_n`` 4). Its weighted vote sums
values in [-1, 1], so that a bad solution counts against its answer; here a solution weighs the probability that it is
correct, as in every other weighted vote (``readings.py``).

Accuracies of k trees are expectations over all subsets of k of the trees that were grown, without replacement, as
``voting.majority_at_k`` takes them over samples. Answers that tie share the win.
"""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain, combinations
from statistics import fmean

from search.data import Aggregation
from search.evaluation.aggregation import Rank
from search.evaluation.readings import BEST, COVERAGE, MAJORITY, WEIGHTED, Strength, strongest, vote_weights
from search.evaluation.solutions import FinishedSolution, finished_solutions
from search.evaluation.voting import pass_at_k
from search.grading.voting import SameValue, merged_keys
from search.tree import Tree

TREE_READINGS = (BEST, WEIGHTED, MAJORITY)
MAX_SUBSETS = 400  # up to so many subsets all are read, else so many random ones
TIE_DRAWS = 16  # random orders of equally good solutions in each of all subsets


@dataclass(frozen=True, slots=True, kw_only=True)
class VoteRule:
    """Which solutions vote: the ``per_tree`` best of each tree, and of all these the ``top`` best; None: all."""

    per_tree: int = 1
    top: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Voter:
    """A drawn solution: its rank by reward, its weight in the weighted vote, and the key of its answer."""

    key: str
    rank: Rank
    weight: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadableTrees:
    """The trees of one problem as votes read them.

    Attributes:
        voters: the solutions of each tree; none for a tree that is missing or has no answer.
        correct: the share of an answer's spellings that is correct, by its key.
        covered: for each tree, whether any of its solutions is correct.
    """

    voters: tuple[tuple[Voter, ...], ...]
    correct: Mapping[str, float]
    covered: tuple[bool, ...]


def readable_trees(
    trees: Iterable[Tree],
    number: int,
    aggregation: Aggregation,
    is_correct: Callable[[str], bool],
    same_value: SameValue | None = None,
) -> ReadableTrees:
    """Return the trees of one problem as votes read them; those that are missing of ``number`` have no solution.

    ``aggregation`` makes one score of the rewards of a solution's steps; ``is_correct`` grades an answer; ``same_value``:
    as in ``merged_keys``. Raises ValueError for two trees with one number or more trees than ``number``.
    """
    by_number: dict[int, Tree] = {}
    for tree in trees:
        if tree.number in by_number or tree.number >= number:
            raise ValueError(f"problem {tree.name}: {number} trees have the numbers 0 to {number - 1}, each once")
        by_number[tree.number] = tree
    solutions = [drawn_solutions(by_number[i], aggregation) if i in by_number else [] for i in range(number)]
    together = list(chain.from_iterable(solutions))
    keys = merged_keys((solution.answer for solution in together), same_value)
    grades = {answer: is_correct(answer) for answer in keys}
    by_key: dict[str, list[bool]] = {}
    for answer, key in keys.items():
        by_key.setdefault(key, []).append(grades[answer])
    weights = iter(vote_weights(together, WEIGHTED))
    return ReadableTrees(
        voters=tuple(
            tuple(Voter(key=keys[end.answer], rank=end.rank, weight=next(weights)) for end in of_tree)
            for of_tree in solutions
        ),
        correct={key: fmean(of_key) for key, of_key in by_key.items()},
        covered=tuple(i in by_number and _is_covered(by_number[i], is_correct) for i in range(number)),
    )


def _is_covered(tree: Tree, is_correct: Callable[[str], bool]) -> bool:
    return any(is_correct(str(tree.nodes[index].answer)) for index in tree.terminals())


def drawn_solutions(tree: Tree, aggregation: Aggregation) -> list[FinishedSolution]:
    """Return the finished solutions of a tree, each as often as it was drawn.

    Of a tree without rewards only the answer that its strategy chose, if it chose one: no reward tells which is best.
    """
    solutions = finished_solutions((tree,), aggregation)
    if tree.answer is not None and solutions and not any(solution.is_scored for solution in solutions):
        return [replace(solutions[0], answer=tree.answer, multiplicity=1)]
    return [replace(solution, multiplicity=1) for solution in solutions for _ in range(solution.multiplicity)]


def vote_accuracies(trees: ReadableTrees, k: int, rule: VoteRule | None = None, seed: int = 0) -> dict[str, float]:
    """Return the expected accuracy in [0, 1] of each of TREE_READINGS over k of the trees, and their COVERAGE.

    Three trees whose best answers are 7, 7 and 8 with probabilities 0.4, 0.5 and 0.95, 7 correct. k = 3: majority 1, weighted
    0 (0.9 against 0.95), best 0. k = 2: of the subsets {7, 7}, {7, 8}, {7, 8} the majority wins one whole and two halves,
    2/3; best and weighted 1/3. Raises ValueError unless 1 <= k <= the number of trees.
    """
    rule = rule or VoteRule()
    coverage = pass_at_k(trees.covered, k)  # refuses an impossible k
    votes = [_vote(voters, trees.correct) for voters in _ballots(trees, k, rule, seed)]
    accuracies = {reading: fmean(vote[reading] for vote in votes) for reading in TREE_READINGS}
    return {**accuracies, COVERAGE: coverage}


def majority_tree(trees: Sequence[Tree]) -> tuple[Tree, int]:
    """Return the first tree with the answer that most of the trees chose, and how many chose it."""
    keys = merged_keys(tree.answer for tree in trees)
    votes = Counter(keys[tree.answer] for tree in trees if tree.answer is not None)
    if not votes:
        return trees[0], 0
    key, number = votes.most_common(1)[0]
    return next(tree for tree in trees if tree.answer is not None and keys[tree.answer] == key), number


def _ballots(trees: ReadableTrees, k: int, rule: VoteRule, seed: int) -> Iterator[list[Voter]]:
    """Yield the voters of subsets of k trees, of all if they are few, else of random ones."""
    rng = random.Random(seed)
    if math.comb(len(trees.voters), k) > MAX_SUBSETS:
        for _ in range(MAX_SUBSETS):
            yield _keep(rng.sample(trees.voters, k), rng, rule)
        return
    draws = TIE_DRAWS if _has_ties(trees.voters, rule) else 1
    for subset in combinations(trees.voters, k):
        for _ in range(draws):
            yield _keep(subset, rng, rule)


def _has_ties(trees: Sequence[Sequence[Voter]], rule: VoteRule) -> bool:
    """Return whether solutions with different answers, among which the rule may have to choose, have one rank."""
    pools = trees if rule.top is None else (*trees, tuple(chain.from_iterable(trees)))
    for pool in pools:
        answers: dict[Rank, str] = {}
        if any(answers.setdefault(voter.rank, voter.key) != voter.key for voter in pool):
            return True
    return False


def _keep(subset: Sequence[Sequence[Voter]], rng: random.Random, rule: VoteRule) -> list[Voter]:
    """Return the solutions that vote: the best of each tree, of them the best of all; ties in random order."""
    kept = [voter for voters in subset for voter in _best(voters, rule.per_tree, rng)]
    return kept if rule.top is None else _best(kept, rule.top, rng)


def _best(voters: Sequence[Voter], count: int, rng: random.Random) -> list[Voter]:
    if len(voters) <= count:
        return list(voters)
    return sorted(voters, key=lambda voter: (voter.rank, rng.random()), reverse=True)[:count]


def _vote(voters: Sequence[Voter], correct: Mapping[str, float]) -> dict[str, float]:
    """Return the share of the win that goes to correct answers, by reading; 0 without voters."""
    ranks: dict[str, Rank] = {}
    weights, counts = Counter[str](), Counter[str]()
    for voter in voters:
        ranks[voter.key] = max(ranks.get(voter.key, voter.rank), voter.rank)
        weights[voter.key] += voter.weight
        counts[voter.key] += 1
    return {BEST: _win(ranks, correct), WEIGHTED: _win(weights, correct), MAJORITY: _win(counts, correct)}


def _win(strengths: Mapping[str, Strength], correct: Mapping[str, float]) -> float:
    """Return the share of the win that goes to correct answers: that of the strongest, which share it; 0 without answers."""
    return fmean(correct[key] for key in strongest(strengths)) if strengths else 0.0
