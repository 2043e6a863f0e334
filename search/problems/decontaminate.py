"""Decontamination: drop training problems that repeat an evaluation problem, and record which and why.

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

Tokens = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Overlap:
    """A dropped problem, the evaluation problem that it repeats, and their share of common n-grams (1: the same)."""

    id: str
    evaluation_id: str
    share: float


@dataclass(frozen=True, slots=True)
class DecontaminationResult:
    """The problems kept, in order, and those dropped."""

    kept: tuple[Problem, ...]
    dropped: tuple[Overlap, ...]

    @property
    def dropped_ids(self) -> tuple[str, ...]:
        return tuple(overlap.id for overlap in self.dropped)


def tokenize(question: str) -> Tokens:
    """Return words, numbers and operators in lower case: ``"Add 1,000 + 2."`` → ``("add", "1,000", "+", "2")``."""
    return tuple(TOKEN.findall(unicodedata.normalize("NFKC", question).lower()))


def decontaminate(
    training: Iterable[Problem], evaluation: Iterable[Problem], ngram: int = 8, threshold: float = 0.6
) -> DecontaminationResult:
    """Drop each training problem that repeats an evaluation problem.

    It does if their tokens are the same, or if they share at least ``threshold`` of the n-grams of the shorter question.
    With ``ngram`` 0, and for questions of fewer than ``ngram`` tokens, only whole questions are compared.
    """
    id_by_question: dict[Tokens, str] = {}
    ids_by_gram: defaultdict[Tokens, list[str]] = defaultdict(list)
    gram_counts: dict[str, int] = {}
    for problem in evaluation:
        tokens = tokenize(problem.question)
        id_by_question.setdefault(tokens, problem.id)
        grams = _grams(tokens, ngram)
        gram_counts[problem.id] = len(grams)
        for gram in grams:
            ids_by_gram[gram].append(problem.id)
    kept: list[Problem] = []
    dropped: list[Overlap] = []
    for problem in training:
        tokens = tokenize(problem.question)
        if tokens in id_by_question:
            dropped.append(Overlap(problem.id, id_by_question[tokens], 1.0))
            continue
        closest = _closest(_grams(tokens, ngram), ids_by_gram, gram_counts)
        if closest is not None and closest[1] >= threshold:
            dropped.append(Overlap(problem.id, *closest))
        else:
            kept.append(problem)
    return DecontaminationResult(tuple(kept), tuple(dropped))


def _grams(tokens: Tokens, ngram: int) -> set[Tokens]:
    if ngram == 0:
        return set()
    return {tokens[start : start + ngram] for start in range(len(tokens) - ngram + 1)}


def _closest(
    grams: set[Tokens], ids_by_gram: dict[Tokens, list[str]], gram_counts: dict[str, int]
) -> tuple[str, float] | None:
    """Return the evaluation problem that shares the largest part of the shorter question's n-grams, with that share."""
    common = Counter(problem_id for gram in grams for problem_id in ids_by_gram.get(gram, ()))
    if not common:
        return None
    shares = {problem_id: count / min(len(grams), gram_counts[problem_id]) for problem_id, count in common.items()}
    best = min(shares, key=lambda problem_id: (-shares[problem_id], problem_id))
    return best, shares[best]
