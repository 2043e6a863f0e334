"""Pairs of answers whose verdict is known, because both are written from a value that the generator holds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import Random
from typing import Any

WRAP_SHARE = 0.25  # of the answers stand in dollars, a box, bold …
NEAR_MISS_SHARE = 0.25  # of the unequal pairs of a kind that has near misses


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    kind: str
    gold: str
    answer: str
    is_equal: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A kind of answer. ``write`` takes a value and whether the text is the reference.

    ``change`` returns a value that differs. ``near_misses`` return a reference and an answer that look alike and differ.
    """

    draw: Callable[[Random], Any]
    write: Callable[[Random, Any, bool], str]
    change: Callable[[Random, Any], Any]
    near_misses: tuple[Callable[[Random], tuple[str, str]], ...] = ()
    is_money: bool = False  # a dollar sign is a currency here, not mathematics


def wrap(rng: Random, text: str, is_money: bool) -> str:
    """Put marks of LaTeX or Markdown around an answer. They mean nothing."""
    wraps = [f" {text} "] + ([] if text.endswith(".") else [f"{text}."])
    if text.startswith(("*", "`")):  # Markdown stands around mathematics, not within
        return rng.choice(wraps)
    wraps += [f"\\({text}\\)", f"\\[{text}\\]", f"\\boxed{{{text}}}"]
    if not text.startswith("{"):  # a dict or a set of Python's
        wraps.append(f"\\displaystyle {text}")
    if "*" not in text:
        wraps.append(f"**{text}**")
    if "$" not in text and not is_money:
        wraps += [f"${text}$", f"$ {text} $", f"$${text}$$", f"$\\boxed{{{text}}}$"]
    return rng.choice(wraps)


def make_pairs(name: str, kind: Kind, seed: int, count: int) -> Iterator[Pair]:
    """Yield ``count`` pairs of one kind, equal and unequal by turns."""
    rng = Random(f"{name}:{seed}")
    for index in range(count):
        value = kind.draw(rng)
        is_equal = index % 2 == 0
        if not is_equal and kind.near_misses and rng.random() < NEAR_MISS_SHARE:
            gold, answer = rng.choice(kind.near_misses)(rng)
        else:
            gold = kind.write(rng, value, True)
            answer = kind.write(rng, value if is_equal else kind.change(rng, value), False)
        if rng.random() < WRAP_SHARE and not kind.is_money:
            gold = f"${gold}$"
        if rng.random() < WRAP_SHARE:
            answer = wrap(rng, answer, kind.is_money)
        yield Pair(kind=name, gold=gold, answer=answer, is_equal=is_equal)
