"""Training problems that occur in an evaluation set are dropped, and it is said which and why. Knows texts only.

Two questions are the same if their words and numbers are; they overlap if they share a large part of their n-grams.
Numbers are kept: the same sentence about other numbers is another problem unless most of it is word for word the same.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from search.data import Problem

TOKEN = re.compile(r"\d+(?:[.,]\d+)*|[^\W\d_]+|[-+*/^=<>%]|\\[A-Za-z]+")

Gram = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Overlap:
    """A dropped problem, the evaluation problem that it repeats and the share of n-grams they have in common (1 = same)."""

    id: str
    evaluation_id: str
    share: float


@dataclass(frozen=True, slots=True)
class Clean:
    """What is left, in order, and what was dropped."""

    kept: tuple[Problem, ...]
    dropped: tuple[Overlap, ...]

    @property
    def dropped_ids(self) -> tuple[str, ...]:
        return tuple(overlap.id for overlap in self.dropped)


def tokens(question: str) -> Gram:
    """Words, numbers and operators in lower case: ``"Add 1,000 + 2."`` → ``("add", "1,000", "+", "2")``."""
    return tuple(TOKEN.findall(unicodedata.normalize("NFKC", question).lower()))


def decontaminate(
    training: Iterable[Problem], evaluation: Iterable[Problem], ngram: int = 8, threshold: float = 0.6
) -> Clean:
    """Drop each training problem that repeats an evaluation problem.

    It does if their tokens are the same, or if the n-grams they share are at least ``threshold`` of those of the shorter
    question. ``ngram`` 0 compares whole questions only, as happens to questions of fewer than ``ngram`` tokens.
    """
    same: dict[Gram, str] = {}
    holders: defaultdict[Gram, list[str]] = defaultdict(list)
    sizes: dict[str, int] = {}
    for problem in evaluation:
        words = tokens(problem.question)
        same.setdefault(words, problem.id)
        grams = _grams(words, ngram)
        sizes[problem.id] = len(grams)
        for gram in grams:
            holders[gram].append(problem.id)
    kept: list[Problem] = []
    dropped: list[Overlap] = []
    for problem in training:
        words = tokens(problem.question)
        if words in same:
            dropped.append(Overlap(problem.id, same[words], 1.0))
            continue
        closest = _closest(_grams(words, ngram), holders, sizes)
        if closest is not None and closest[1] >= threshold:
            dropped.append(Overlap(problem.id, *closest))
        else:
            kept.append(problem)
    return Clean(tuple(kept), tuple(dropped))


def _grams(words: Gram, ngram: int) -> set[Gram]:
    if ngram == 0:
        return set()
    return {words[start : start + ngram] for start in range(len(words) - ngram + 1)}


def _closest(grams: set[Gram], holders: dict[Gram, list[str]], sizes: dict[str, int]) -> tuple[str, float] | None:
    """The evaluation problem that shares the largest part of the shorter question's n-grams."""
    shared = Counter(name for gram in grams for name in holders.get(gram, ()))
    if not shared:
        return None
    shares = {name: count / min(len(grams), sizes[name]) for name, count in shared.items()}
    best = min(shares, key=lambda name: (-shares[name], name))
    return best, shares[best]
