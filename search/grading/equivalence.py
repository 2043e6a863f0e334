"""Decide whether an answer means what the reference means, and explain how each was read."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from functools import lru_cache

from search.grading.algebra import pool
from search.grading.compare import compare
from search.grading.kinds import Text, describe, name_of
from search.grading.reading.reader import FAILURES, MAX_LENGTH, plain_text, read

CACHED = 1 << 16  # verdicts that are remembered


@dataclass(frozen=True, slots=True)
class Explanation:
    """A verdict with the kinds and values that were read. ``by_algebra``: normal forms did not decide."""

    equal: bool
    gold_kind: str
    gold_value: str
    answer_kind: str
    answer_value: str
    by_algebra: bool


@lru_cache(maxsize=CACHED)
def exact_verdict(gold: str, answer: str) -> bool | None:
    """Return whether two answers are equal by their normal forms; None if only algebra can tell. Never raises for content."""
    if not answer.strip() or len(answer) > MAX_LENGTH:
        return False
    left, right = read(gold), read(answer)
    if isinstance(right, Text) and not right.text:
        return False
    try:
        verdict = compare(left, right)
    except FAILURES:
        verdict = False
    if verdict is False and plain_text(gold) == plain_text(answer):
        return True
    return verdict


@lru_cache(maxsize=CACHED)
def _algebraic_verdict(gold: str, answer: str) -> bool:
    return pool.pool().equal(gold, answer)


def equivalent(gold: str, answer: str) -> bool:
    """Return whether ``answer`` means what the reference ``gold`` means. Empty and overlong answers are wrong.

    A per cent p equals p and p / 100. A unit on one side only is dropped. Never raises for content. Raises
    GraderUnavailable if algebra is needed and cannot run.
    """
    verdict = exact_verdict(gold, answer)
    return _algebraic_verdict(gold, answer) if verdict is None else verdict


async def equivalent_async(gold: str, answer: str) -> bool:
    """Return what ``equivalent`` returns; wait for algebra without blocking the event loop."""
    verdict = exact_verdict(gold, answer)
    return await asyncio.to_thread(_algebraic_verdict, gold, answer) if verdict is None else verdict


def explain(gold: str, answer: str) -> Explanation:
    """Return the verdict of ``equivalent`` with the readings that led to it. Raises GraderUnavailable."""
    left, right = read(gold), read(answer)
    return Explanation(
        equivalent(gold, answer),
        name_of(left),
        describe(left),
        name_of(right),
        describe(right),
        exact_verdict(gold, answer) is None,
    )
