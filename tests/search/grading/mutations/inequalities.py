"""Write and change inequalities of one variable."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from random import Random

from tests.search.grading.mutations.polynomials import VARIABLES
from tests.search.grading.mutations.rationals import write_simple


@dataclass(frozen=True, slots=True, kw_only=True)
class Inequality:
    """``lower < variable < upper``; a bound that is None is absent. Strict or not is each bound's."""

    variable: str
    lower: Fraction | None
    upper: Fraction | None
    is_lower_strict: bool
    is_upper_strict: bool


LESS = {True: ["<", " < ", " \\lt "], False: ["\\le ", " \\leq ", " ≤ ", " <= ", " \\leqslant "]}
GREATER = {True: [">", " > ", " \\gt "], False: ["\\ge ", " \\geq ", " ≥ ", " >= ", " \\geqslant "]}


def draw_inequality(rng: Random) -> Inequality:
    lower = Fraction(rng.randint(-20, 20), rng.choice([1, 1, 2, 3]))
    upper = lower + Fraction(rng.randint(1, 30), rng.choice([1, 1, 2, 3]))
    shape = rng.choice(["lower", "upper", "both"])
    return Inequality(
        variable=rng.choice(VARIABLES),
        lower=None if shape == "upper" else lower,
        upper=None if shape == "lower" else upper,
        is_lower_strict=rng.random() < 0.5,
        is_upper_strict=rng.random() < 0.5,
    )


def write_inequality(rng: Random, value: Inequality, is_gold: bool) -> str:
    is_latex = is_gold or rng.random() < 0.6
    bounds = [
        None if bound is None else write_simple(rng, bound, is_latex=is_latex) for bound in (value.lower, value.upper)
    ]
    less = [rng.choice(LESS[is_strict]) for is_strict in (value.is_lower_strict, value.is_upper_strict)]
    greater = [rng.choice(GREATER[is_strict]) for is_strict in (value.is_lower_strict, value.is_upper_strict)]
    name = value.variable
    if value.upper is None:
        return rng.choice([f"{name}{greater[0]}{bounds[0]}", f"{bounds[0]}{less[0]}{name}"])
    if value.lower is None:
        return rng.choice([f"{name}{less[1]}{bounds[1]}", f"{bounds[1]}{greater[1]}{name}"])
    return rng.choice(
        [f"{bounds[0]}{less[0]}{name}{less[1]}{bounds[1]}"] * 3
        + [f"{bounds[1]}{greater[1]}{name}{greater[0]}{bounds[0]}"]
    )


def change_inequality(rng: Random, value: Inequality) -> Inequality:
    """Return another inequality: strictness, a bound, its side, or the variable changed."""
    other = rng.choice([name for name in VARIABLES if name != value.variable])
    changes = [replace(value, variable=other)]
    if value.lower is not None:
        changes += [replace(value, is_lower_strict=not value.is_lower_strict), replace(value, lower=value.lower - 1)]
    if value.upper is not None:
        changes += [replace(value, is_upper_strict=not value.is_upper_strict), replace(value, upper=value.upper + 1)]
    if value.lower is None or value.upper is None:
        flipped = replace(value, lower=value.upper, upper=value.lower, is_lower_strict=value.is_upper_strict)
        changes.append(replace(flipped, is_upper_strict=value.is_lower_strict))
    else:
        changes += [replace(value, lower=None), replace(value, upper=None)]
    return rng.choice(changes)
