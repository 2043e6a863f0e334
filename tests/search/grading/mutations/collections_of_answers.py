"""Write intervals, sets, tuples, matrices and vectors, whose elements are numbers, roots, expressions or tuples."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from random import Random
from typing import Any

from tests.search.grading.mutations.inequalities import GREATER, LESS
from tests.search.grading.mutations.polynomials import (
    Expression,
    change_expression,
    draw_linear,
    expression_of,
    write_terms,
)
from tests.search.grading.mutations.rationals import change_rational, draw_rational, write_rational, write_simple
from tests.search.grading.mutations.surds import Surd, change_surd, draw_surd, write_exact_surd

Element = Any  # Fraction, Surd, Expression, or a tuple of elements
CLOSE = Fraction(1, 10_000)  # less than any two different ends are apart
INFINITIES = {True: ["\\infty", "\\infty", "+\\infty"], False: ["oo", "inf", "∞", "+∞", "infinity"]}


def draw_element(rng: Random, *, has_expressions: bool = False) -> Element:
    if has_expressions and rng.random() < 0.2:
        return expression_of(draw_linear(rng, rng.choice("xyz")))
    return draw_surd(rng) if rng.random() < 0.15 else draw_rational(rng)


def write_element(rng: Random, element: Element, *, is_latex: bool) -> str:
    if isinstance(element, tuple):
        return f"({', '.join(write_element(rng, inner, is_latex=is_latex) for inner in element)})"
    if isinstance(element, Expression):
        return write_terms(rng, element.terms(), is_latex=is_latex)
    if isinstance(element, Surd):
        return write_exact_surd(rng, element, is_latex=is_latex)
    if is_latex and rng.random() < 0.3:
        return write_rational(rng, element, is_inner=True)
    return write_simple(rng, element, is_latex=is_latex)


def change_element(rng: Random, element: Element) -> Element:
    if isinstance(element, tuple):
        return change_sequence(rng, element)
    if isinstance(element, Expression):
        return change_expression(rng, element)
    return change_surd(rng, element) if isinstance(element, Surd) else change_rational(rng, element)


def change_sequence(rng: Random, elements: tuple[Element, ...]) -> tuple[Element, ...]:
    """Return another sequence: two elements swapped, one changed, dropped or added."""
    place = rng.randrange(len(elements))
    changed = [*elements]
    shape = rng.random()
    if shape < 0.35:
        other = rng.randrange(len(elements))
        changed[place], changed[other] = changed[other], changed[place]
    elif shape < 0.5 and len(elements) > 2:
        del changed[place]
    elif shape < 0.6:
        changed.append(draw_rational(rng))
    if tuple(changed) == elements:
        changed[place] = change_element(rng, elements[place])
    return tuple(changed)


def draw_tuple(rng: Random) -> tuple[Element, ...]:
    if rng.random() < 0.12:
        return tuple(tuple(draw_rational(rng) for _ in range(2)) for _ in range(rng.randint(2, 3)))
    return tuple(draw_element(rng, has_expressions=True) for _ in range(rng.choice([2, 2, 3, 3, 4])))


def write_tuple(rng: Random, value: tuple[Element, ...], is_gold: bool) -> str:
    is_latex = is_gold or rng.random() < 0.6
    inner = rng.choice([", ", ", ", ",", " , "]).join(
        write_element(rng, element, is_latex=is_latex) for element in value
    )
    ways = [f"({inner})"] * 3
    if is_latex:
        ways += [f"\\left({inner}\\right)", f"\\left( {inner} \\right)", f"( {inner} )", f"\\bigl({inner}\\bigr)"]
    if not is_gold and len(value) in (2, 3):
        names = ["x", "y", "z"][: len(value)]
        if not any(isinstance(element, Expression | tuple) for element in value):
            ways.append(f"({', '.join(names)}) = ({inner})")
    return rng.choice(ways)


def draw_set(rng: Random) -> frozenset[Element]:
    if rng.random() < 0.12:
        return frozenset((draw_rational(rng), draw_rational(rng)) for _ in range(rng.randint(2, 3)))
    return frozenset(draw_element(rng) for _ in range(rng.randint(2, 5)))


def write_set(rng: Random, value: frozenset[Element], is_gold: bool) -> str:
    """Write the elements in any order, in braces or, as an answer, as a list."""
    is_latex = is_gold or rng.random() < 0.6
    elements = [*value]
    elements.sort(key=repr)
    rng.shuffle(elements)
    texts = [write_element(rng, element, is_latex=is_latex) for element in elements]
    inner = rng.choice([", ", ", ", ","]).join(texts)
    if is_latex:
        ways = [f"\\{{{inner}\\}}"] * 3 + [
            f"\\left\\{{{inner}\\right\\}}",
            f"\\lbrace {inner} \\rbrace",
            f"\\{{ {inner} \\}}",
        ]
        ways.append(f"x \\in \\{{{inner}\\}}")
    else:
        ways = [f"{{{inner}}}"] * 2 + [f"FiniteSet({inner})"]
    if not is_gold and not any(isinstance(element, tuple) for element in value):
        head = ", ".join(texts[:-1])
        ways += [
            ", ".join(texts),
            f"{head} and {texts[-1]}",
            f"{head}, and {texts[-1]}" if len(texts) > 2 else f"{head} or {texts[-1]}",
        ]
        ways += [" or ".join(f"x = {text}" for text in texts), "; ".join(texts)]
    return rng.choice(ways)


def change_set(rng: Random, value: frozenset[Element]) -> frozenset[Element]:
    """Return another set: an element changed, dropped or added."""
    elements = sorted(value, key=repr)
    while True:
        changed = [*elements]
        place = rng.randrange(len(elements))
        shape = rng.random()
        if shape < 0.25 and len(elements) > 2:
            del changed[place]
        elif shape < 0.45:
            changed.append(
                draw_rational(rng) if not isinstance(elements[0], tuple) else (draw_rational(rng), draw_rational(rng))
            )
        else:
            changed[place] = change_element(rng, elements[place])
        if frozenset(changed) != value:
            return frozenset(changed)


def plus_minus(rng: Random) -> tuple[str, str]:
    """Return two signs and one of them; a list and its elements run together."""
    first, second = rng.randint(2, 30), rng.randint(31, 60)
    return rng.choice(
        [
            (f"\\pm {first}", str(first)),
            (f"\\pm {first}", f"-{first}"),
            (f"{second} \\pm \\sqrt{{{first}}}", f"{second} + \\sqrt{{{first}}}"),
            (f"{first}, {second}", f"{first}{second}"),
            (f"{first}, {second}", str(second)),
            (f"x = {first} \\text{{ or }} x = {second}", f"x = {first}"),
            (f"{first}", f"{first} or {second}"),
            (f"x={first}, y={second}", f"x={second}, y={first}"),
        ]
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """An interval; an end that is None is infinite."""

    lower: Fraction | None
    upper: Fraction | None
    is_lower_closed: bool
    is_upper_closed: bool


def draw_intervals(rng: Random) -> tuple[Interval, ...]:
    """Return one to three disjoint intervals that do not touch, in order."""
    count = rng.choice([1, 1, 2, 2, 3])
    ends = sorted({Fraction(rng.randint(-40, 40), rng.choice([1, 1, 1, 2, 3])) for _ in range(2 * count + 6)})[
        : 2 * count
    ]
    intervals = [
        Interval(
            lower=ends[2 * place],
            upper=ends[2 * place + 1],
            is_lower_closed=rng.random() < 0.5,
            is_upper_closed=rng.random() < 0.5,
        )
        for place in range(count)
    ]
    if rng.random() < 0.4:
        intervals[0] = replace(intervals[0], lower=None, is_lower_closed=False)
    elif count > 1 or rng.random() < 0.5:
        intervals[-1] = replace(intervals[-1], upper=None, is_upper_closed=False)
    return tuple(intervals)


def write_interval(rng: Random, value: Interval, *, is_latex: bool) -> str:
    infinity = rng.choice(INFINITIES[is_latex])
    lower = (
        "-" + infinity.removeprefix("+") if value.lower is None else write_simple(rng, value.lower, is_latex=is_latex)
    )
    upper = infinity if value.upper is None else write_simple(rng, value.upper, is_latex=is_latex)
    left, right = "[" if value.is_lower_closed else "(", "]" if value.is_upper_closed else ")"
    if is_latex and rng.random() < 0.4:
        left, right = f"\\left{left}", f"\\right{right}"
    return f"{left}{lower}{rng.choice([', ', ',', ', '])}{upper}{right}"


def write_python_interval(value: Interval) -> str:
    """Write an interval as sympy prints it. An infinite end is open by itself."""
    lower = "-oo" if value.lower is None else str(value.lower)
    upper = "oo" if value.upper is None else str(value.upper)
    is_left_open = not value.is_lower_closed and value.lower is not None
    is_right_open = not value.is_upper_closed and value.upper is not None
    method = {(True, True): ".open", (True, False): ".Lopen", (False, True): ".Ropen", (False, False): ""}[
        is_left_open, is_right_open
    ]
    return f"Interval{method}({lower}, {upper})"


def write_as_inequality(rng: Random, value: Interval, name: str, *, is_latex: bool) -> str:
    less = [rng.choice(LESS[not is_closed]) for is_closed in (value.is_lower_closed, value.is_upper_closed)]
    bounds = [None if end is None else write_simple(rng, end, is_latex=is_latex) for end in (value.lower, value.upper)]
    if value.upper is None:
        return f"{name}{rng.choice(GREATER[not value.is_lower_closed])}{bounds[0]}"
    return f"{name}{less[1]}{bounds[1]}" if value.lower is None else f"{bounds[0]}{less[0]}{name}{less[1]}{bounds[1]}"


def write_intervals(rng: Random, value: tuple[Interval, ...], is_gold: bool) -> str:
    """Write a union in any order: brackets, or as an answer inequalities or Python's printed form."""
    is_latex = is_gold or rng.random() < 0.6
    order = [*value]
    rng.shuffle(order)
    shape = 1.0 if is_gold else rng.random()
    if shape < 0.12:
        texts = [write_python_interval(interval) for interval in order]
        return texts[0] if len(texts) == 1 else f"Union({', '.join(texts)})"
    if shape < 0.3:
        between = " \\text{ or } " if is_latex else " or "
        return between.join(write_as_inequality(rng, interval, "x", is_latex=is_latex) for interval in order)
    between = rng.choice([" \\cup ", "\\cup "] if is_latex else [" ∪ ", "∪", " U "])
    head = "x \\in " if is_latex and not is_gold and rng.random() < 0.1 else ""
    return head + between.join(write_interval(rng, interval, is_latex=is_latex) for interval in order)


def change_intervals(rng: Random, value: tuple[Interval, ...]) -> tuple[Interval, ...]:
    """Return another union: a bracket, an end or an infinity changed, an interval dropped."""
    place = rng.randrange(len(value))
    interval = value[place]
    changes = []
    if interval.lower is not None:
        changes += [replace(interval, is_lower_closed=not interval.is_lower_closed)] * 2
        changes += [
            replace(interval, lower=interval.lower - Fraction(1, 97)),
            replace(interval, lower=None, is_lower_closed=False),
        ]
    if interval.upper is not None:
        changes += [replace(interval, is_upper_closed=not interval.is_upper_closed)] * 2
        changes += [
            replace(interval, upper=interval.upper + Fraction(1, 89)),
            replace(interval, upper=None, is_upper_closed=False),
        ]
    if interval.lower is not None and interval.upper is not None:
        changes.append(replace(interval, lower=interval.lower + (interval.upper - interval.lower) / 2))
    if len(value) > 1 and rng.random() < 0.2:
        return value[:place] + value[place + 1 :]
    changed = value[:place] + (rng.choice(changes),) + value[place + 1 :]
    return changed if has_other_points(changed, value) else change_intervals(rng, value)


def has_point(union: tuple[Interval, ...], point: Fraction) -> bool:
    return any(
        (interval.lower is None or interval.lower < point or (interval.lower == point and interval.is_lower_closed))
        and (interval.upper is None or point < interval.upper or (point == interval.upper and interval.is_upper_closed))
        for interval in union
    )


def has_other_points(first: tuple[Interval, ...], second: tuple[Interval, ...]) -> bool:
    """Return whether two unions differ: at an end of either, or close beside it."""
    ends = {end for interval in first + second for end in (interval.lower, interval.upper) if end is not None}
    points = [end + step for end in ends for step in (-CLOSE, Fraction(0), CLOSE)]
    return any(has_point(first, point) != has_point(second, point) for point in points)
