"""Write complex numbers, special values, assignments, two signs at once, quotients of polynomials, special sets."""

from __future__ import annotations

import re
from fractions import Fraction
from random import Random

from tests.search.grading.mutations.polynomials import (
    Terms,
    change_terms,
    draw_coefficient,
    draw_linear,
    multiply,
    scale,
    write_terms,
)
from tests.search.grading.mutations.rationals import draw_rational, write_simple

# Each list writes one number. No two lists write the same.
SPECIAL_VALUES = [
    ["\\sin 30^\\circ", "\\frac{1}{2}", "\\cos 60^\\circ", "\\sin \\frac{\\pi}{6}", "\\cos{60^{\\circ}}", "0.5", "\\sin(30^\\circ)"],
    ["\\sin 60^\\circ", "\\frac{\\sqrt{3}}{2}", "\\cos 30^\\circ", "\\cos \\frac{\\pi}{6}", "sqrt(3)/2", "0.8660254"],
    ["\\cos 45^\\circ", "\\frac{\\sqrt{2}}{2}", "\\frac{1}{\\sqrt{2}}", "\\sin \\frac{\\pi}{4}", "2^{-1/2}", "sqrt(2)/2", "√2/2"],
    ["\\tan 60^\\circ", "\\sqrt{3}", "3^{1/2}", "\\sqrt3", "\\tan \\frac{\\pi}{3}", "√3", "3^{0.5}", "\\frac{3}{\\sqrt{3}}"],
    ["\\cos 180^\\circ", "-1", "\\cos \\pi", "-\\tan 45^\\circ", "e^{i\\pi}", "i^2", "\\sin 270^\\circ"],
    ["\\log_2 8", "3", "\\sqrt[3]{27}", "\\log_{10} 1000", "|{-3}|", "\\lvert -3 \\rvert", "\\ln e^3", "27^{1/3}", "\\sqrt{9}"],
    ["\\sqrt[3]{2}", "2^{1/3}", "2^{\\frac{1}{3}}", "\\sqrt[3]2", "2**(1/3)", "1.259921"],
    ["\\log_2 3", "\\frac{\\ln 3}{\\ln 2}", "\\frac{\\log 3}{\\log 2}", "\\log_{2}{3}", "log(3)/log(2)", "1.5849625"],
    ["2\\ln 3", "\\ln 9", "2 \\ln{3}", "\\ln(9)", "2*log(3)", "2.1972246"],
    ["4!", "24", "2^3 \\cdot 3", "\\binom{4}{1} \\cdot 6", "4 \\times 6", "4 \\cdot 3 \\cdot 2 \\cdot 1"],
    ["\\frac{1+\\sqrt{5}}{2}", "\\frac{1}{2} + \\frac{\\sqrt{5}}{2}", "(1 + sqrt(5))/2", "0.5(1+\\sqrt5)", "\\frac{\\sqrt{5}+1}{2}"],
    ["e^2", "e^{2}", "\\mathrm{e}^2", "\\exp(2)", "7.3890561", "exp(2)"],
    ["\\sqrt{2+\\sqrt{3}}", "\\sqrt{\\sqrt{3}+2}", "\\frac{\\sqrt{6}+\\sqrt{2}}{2}", "sqrt(2 + sqrt(3))"],
    ["3 \\cdot 2^{10}", "3072", "2^{10} \\cdot 3", "3 \\times 1024", "3*2**10"],
    ["1 - \\frac{1}{e}", "1-e^{-1}", "\\frac{e-1}{e}", "1 - 1/e", "1 - exp(-1)"],
    ["\\infty", "+\\infty", "∞", "oo", "inf", "Infinity"],
    ["-\\infty", "-∞", "-oo", "-inf"],
]  # fmt: skip


def draw_special(rng: Random) -> int:
    return rng.randrange(len(SPECIAL_VALUES))


def write_special(rng: Random, value: int, is_gold: bool) -> str:
    """Write the number, as a rounded decimal only where it is the answer."""
    ways = SPECIAL_VALUES[value]
    return rng.choice([way for way in ways if not (is_gold and re.fullmatch(r"\d\.\d{5,}", way))])


def change_special(rng: Random, value: int) -> int:
    return rng.choice([other for other in range(len(SPECIAL_VALUES)) if other != value])


def draw_complex(rng: Random) -> tuple[Fraction, Fraction]:
    """Return real part and imaginary part, which is not zero."""
    denominator = rng.choice([1, 1, 1, 2, 5])
    real, imaginary = (
        Fraction(rng.randint(-12, 12), denominator),
        Fraction(rng.choice([-1, 1]) * rng.randint(1, 12), denominator),
    )
    return real, imaginary


def write_imaginary(rng: Random, value: Fraction, *, is_latex: bool) -> str:
    """Write a positive multiple of i."""
    if value == 1:
        return "i" if is_latex else rng.choice(["i", "I"])
    number = write_simple(rng, value, is_latex=is_latex)
    if is_latex:
        return rng.choice([f"{number}i", f"{number} i", f"{number}\\,i", f"{number} \\cdot i"])
    return f"{number}*I" if "/" not in number else f"{value.numerator}*I/{value.denominator}"


def write_complex(rng: Random, value: tuple[Fraction, Fraction], is_gold: bool) -> str:
    real, imaginary = value
    if not is_gold and real and real.denominator == imaginary.denominator == 1 and rng.random() < 0.25:
        return str(complex(int(real), int(imaginary)))
    is_latex = is_gold or rng.random() < 0.6
    sign = "-" if imaginary < 0 else "+"
    second = write_imaginary(rng, abs(imaginary), is_latex=is_latex)
    if not real:
        return second if imaginary > 0 else f"-{second}"
    first = write_simple(rng, real, is_latex=is_latex)
    if rng.random() < 0.2:
        lead = second if imaginary > 0 else f"-{second}"
        return f"{lead} + {first}" if real > 0 else f"{lead} - {first.removeprefix('-')}"
    space = rng.choice(["", " "])
    return f"{first}{space}{sign}{space}{second}"


def change_complex(rng: Random, value: tuple[Fraction, Fraction]) -> tuple[Fraction, Fraction]:
    real, imaginary = value
    changes = [(real, -imaginary), (real + 1, imaginary), (real, imaginary * 2), (-real, -imaginary)]
    if real and real != imaginary:
        changes.append((imaginary, real))
    return rng.choice(changes)


def draw_assignments(rng: Random) -> tuple[tuple[str, Fraction], ...]:
    names = rng.choice([("x", "y"), ("a", "b"), ("x", "y", "z"), ("a", "b", "c")])
    return tuple((name, draw_rational(rng)) for name in names)


def write_assignments(rng: Random, value: tuple[tuple[str, Fraction], ...], is_gold: bool) -> str:
    """Write each variable's value, in any order."""
    is_latex = is_gold or rng.random() < 0.6
    order = [*value]
    if rng.random() < 0.4:
        rng.shuffle(order)
    equals = rng.choice([" = ", "="])
    texts = [f"{name}{equals}{write_simple(rng, number, is_latex=is_latex)}" for name, number in order]
    ways = [", ".join(texts)] * 2
    if is_latex:
        lines = " \\\\ ".join(texts)
        ways += [",\\; ".join(texts), ", \\quad ".join(texts), f"\\begin{{cases}} {lines} \\end{{cases}}"]
    if not is_gold:
        ways += ["; ".join(texts), f"{', '.join(texts[:-1])} and {texts[-1]}", ", ".join(texts)]
        names, numbers = zip(*value, strict=True)
        ways.append(
            f"({', '.join(names)}) = ({', '.join(write_simple(rng, number, is_latex=is_latex) for number in numbers)})"
        )
        ways.append("{" + ", ".join(f"{name}: {number}" for name, number in order) + "}")
    return rng.choice(ways)


def change_assignments(rng: Random, value: tuple[tuple[str, Fraction], ...]) -> tuple[tuple[str, Fraction], ...]:
    """Return other assignments: two values swapped, one changed, a variable renamed or dropped."""
    (first, first_number), (second, second_number), *rest = value
    changes = [
        ((first, first_number + 1), (second, second_number), *rest),
        ((first, first_number), (second, -second_number or Fraction(5)), *rest),
        (("k", first_number), (second, second_number), *rest),
        ((first, first_number), *rest) if rest else ((first, first_number), ("k", second_number)),
    ]
    if first_number != second_number:
        changes += [((first, second_number), (second, first_number), *rest)] * 2
    return rng.choice(changes)


def draw_signs(rng: Random) -> tuple[int, int]:
    """Return ``a`` and ``n`` of the two numbers a ± sqrt(n)."""
    return rng.choice([0, 0, rng.randint(1, 15), -rng.randint(1, 9)]), rng.choice(
        [2, 3, 5, 7, 11, 13, 4, 9, 25, 49, 144]
    )


def write_signs(rng: Random, value: tuple[int, int], is_gold: bool) -> str:
    middle, radicand = value
    root = str(int(radicand**0.5)) if radicand in (4, 9, 25, 49, 144) else f"\\sqrt{{{radicand}}}"
    head = str(middle) if middle else ""
    plus, minus = (f"{head}+{root}", f"{head}-{root}") if middle else (root, f"-{root}")
    both = rng.sample([plus, minus], 2)
    ways = [
        f"{head} \\pm {root}".strip(),
        f"{head}\\pm{root}",
        f"{head} ± {root}".strip(),
        f"\\{{{', '.join(both)}\\}}",
        ", ".join(both),
    ]
    ways += [f"x = {head} \\pm {root}"]
    if not is_gold:
        ways += [
            f"x = {both[0]} \\text{{ or }} x = {both[1]}",
            " \\text{ and } ".join(both),
            f"x={both[0]}, x={both[1]}",
            " or ".join(both),
        ]
        if "sqrt" not in root:
            ways += [f"[{', '.join(str(middle + sign * int(root)) for sign in (-1, 1))}]"]
    return rng.choice(ways)


def change_signs(rng: Random, value: tuple[int, int]) -> tuple[int, int]:
    middle, radicand = value
    changes = [(middle + 1, radicand), (middle, radicand + 1 if radicand + 1 not in (4, 8, 9) else 17)]
    return rng.choice(changes + ([(-middle, radicand)] if middle else []))


Quotient = tuple[
    tuple[tuple[tuple[tuple[str, int], ...], Fraction], ...], tuple[tuple[tuple[tuple[str, int], ...], Fraction], ...]
]


def freeze(top: Terms, bottom: Terms) -> Quotient:
    return tuple(sorted(top.items())), tuple(sorted(bottom.items()))


def draw_quotient(rng: Random) -> Quotient:
    """Return numerator and denominator, both with a variable, neither a multiple of the other."""
    name = rng.choice(["x", "n", "a", "k"])
    while True:
        top = draw_linear(rng, name) if rng.random() < 0.6 else {(): draw_coefficient(rng)}
        bottom = (
            draw_linear(rng, name)
            if rng.random() < 0.7
            else {((name, rng.randint(1, 2)),): Fraction(rng.randint(1, 5))}
        )
        if top.keys() != bottom.keys() or len({top[powers] / bottom[powers] for powers in top}) > 1:
            return freeze(top, bottom)


def write_quotient(rng: Random, value: Quotient, is_gold: bool) -> str:
    is_latex = is_gold or rng.random() < 0.6
    factor = Fraction(rng.choice([1, 1, 1, 2, 3, -1]))
    texts = [write_terms(rng, scale(dict(side), factor), is_latex=is_latex) for side in value]
    if is_latex:
        ways = [f"\\frac{{{texts[0]}}}{{{texts[1]}}}"] * 3 + [
            f"\\dfrac{{{texts[0]}}}{{{texts[1]}}}",
            f"({texts[0]}) \\cdot ({texts[1]})^{{-1}}",
        ]
        return rng.choice([*ways, f"\\frac{{1}}{{{texts[1]}}} \\cdot ({texts[0]})"])
    return rng.choice([f"({texts[0]})/({texts[1]})", f"({texts[0]}) / ({texts[1]})"])


def change_quotient(rng: Random, value: Quotient) -> Quotient:
    top, bottom = dict(value[0]), dict(value[1])
    while True:
        changes = [
            (change_terms(rng, top), bottom),
            (top, change_terms(rng, bottom)),
            (bottom, top),
            (scale(top, Fraction(-1)), bottom),
        ]
        other_top, other_bottom = rng.choice(changes)
        if multiply(other_top, bottom) != multiply(top, other_bottom):
            return freeze(other_top, other_bottom)


def draw_special_set(rng: Random) -> tuple[str, int]:
    return rng.choice(["empty", "real", "without", "without", "with point"]), rng.randint(-20, 20)


def write_special_set(rng: Random, value: tuple[str, int], is_gold: bool) -> str:
    """Write the empty set, the real numbers, these without a point, or a ray with a point beside it."""
    name, point = value
    ways = {
        "empty": ["\\emptyset", "\\varnothing", "\\{\\}", "\\{ \\}"]
        + ([] if is_gold else ["∅", "EmptySet", "x \\in \\emptyset"]),
        "real": ["\\mathbb{R}", "(-\\infty, \\infty)", "\\left(-\\infty, +\\infty\\right)"]
        + ([] if is_gold else ["ℝ", "(-oo, oo)", "x \\in \\mathbb{R}", "(-∞,∞)", "Interval(-oo, oo)", "Reals"]),
        "without": [f"(-\\infty, {point}) \\cup ({point}, \\infty)", f"\\mathbb{{R}} \\setminus \\{{{point}\\}}"]
        + (
            []
            if is_gold
            else [f"x \\neq {point}", f"x \\ne {point}", f"x < {point} \\text{{ or }} x > {point}", f"x ≠ {point}"]
        ),
        "with point": [f"\\{{{point - 2}\\}} \\cup [{point}, \\infty)", f"[{point}, \\infty) \\cup \\{{{point - 2}\\}}"]
        + ([] if is_gold else [f"x = {point - 2} \\text{{ or }} x \\ge {point}"]),
    }[name]
    return rng.choice(ways)


def change_special_set(rng: Random, value: tuple[str, int]) -> tuple[str, int]:
    name, point = value
    if name in ("without", "with point") and rng.random() < 0.6:
        return name, point + rng.choice([1, -1, 10])
    return rng.choice([other for other in ("empty", "real", "without", "with point") if other != name]), point


COMPOUND = {  # larger unit, smaller unit: how many of the smaller make a larger, spellings of each
    "h min": (60, ["h", "hours", "hr"], ["min", "minutes", "min"]),
    "min s": (60, ["min", "minutes", "min"], ["s", "seconds", "sec"]),
    "ft in": (12, ["ft", "feet", "ft"], ["in", "inches", "in"]),
    "m cm": (100, ["m", "meters", "m"], ["cm", "centimeters", "cm"]),
}


def draw_compound(rng: Random) -> tuple[str, int]:
    """Return a pair of units and a count of the smaller."""
    units = rng.choice(list(COMPOUND))
    ratio = COMPOUND[units][0]
    return units, ratio * rng.randint(2, 9) + rng.randint(2, ratio - 1)


def write_compound(rng: Random, value: tuple[str, int], is_gold: bool) -> str:
    units, count = value
    ratio, larger, smaller = COMPOUND[units]
    form = rng.randrange(3)
    whole, rest = divmod(count, ratio)
    if not is_gold and rng.random() < 0.4:
        return rng.choice([f"{count} {smaller[form]}", f"{count}\\text{{ {smaller[form]}}}"])
    ways = [f"{whole} {larger[form]} {rest} {smaller[form]}"] * 2
    ways += [
        f"{whole}\\text{{ {larger[form]} }}{rest}\\text{{ {smaller[form]}}}",
        f"{whole} {larger[1]} and {rest} {smaller[1]}",
    ]
    return rng.choice(ways)


def change_compound(rng: Random, value: tuple[str, int]) -> tuple[str, int]:
    units, count = value
    return units, count + rng.choice([1, -1, 5, COMPOUND[units][0]])
