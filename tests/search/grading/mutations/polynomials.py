"""Write expressions and equations from polynomials that the generator holds term by term."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from random import Random

from tests.search.grading.mutations.rationals import SUPERSCRIPTS, write_simple

VARIABLES = ("x", "y", "z", "n", "a", "b", "k")
# Factors that stand for themselves: as LaTeX, as Python.
FUNCTIONS = {
    "sin": ("\\sin {v}", "sin({v})"),
    "cos": ("\\cos {v}", "cos({v})"),
    "exp": ("e^{{{v}}}", "exp({v})"),
    "ln": ("\\ln {v}", "ln({v})"),
    "root": ("\\sqrt{{{v}}}", "sqrt({v})"),
}

Powers = tuple[tuple[str, int], ...]  # variable or function of a variable ("sin x") and its exponent, sorted
Terms = dict[Powers, Fraction]


def add(first: Terms, second: Terms, factor: Fraction = Fraction(1)) -> Terms:
    terms = dict(first)
    for powers, coefficient in second.items():
        terms[powers] = terms.get(powers, Fraction(0)) + factor * coefficient
    return {powers: coefficient for powers, coefficient in terms.items() if coefficient}


def multiply(first: Terms, second: Terms) -> Terms:
    terms: Terms = {}
    for powers, coefficient in first.items():
        for other_powers, other_coefficient in second.items():
            exponents = dict(powers)
            for name, exponent in other_powers:
                exponents[name] = exponents.get(name, 0) + exponent
            terms = add(terms, {tuple(sorted(exponents.items())): coefficient * other_coefficient})
    return terms


def scale(terms: Terms, factor: Fraction) -> Terms:
    return {powers: coefficient * factor for powers, coefficient in terms.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Expression:
    """A product of polynomials; it may be written as it stands, or multiplied out."""

    factors: tuple[tuple[tuple[Powers, Fraction], ...], ...]

    def terms(self) -> Terms:
        product: Terms = {(): Fraction(1)}
        for factor in self.factors:
            product = multiply(product, dict(factor))
        return product


def expression_of(*factors: Terms) -> Expression:
    return Expression(factors=tuple(tuple(sorted(factor.items())) for factor in factors))


def draw_coefficient(rng: Random) -> Fraction:
    return Fraction(rng.choice([-1, 1, 1]) * rng.randint(1, 12), rng.choice([1, 1, 1, 1, 2, 3, 4]))


def draw_linear(rng: Random, variable: str) -> Terms:
    constant = Fraction(rng.choice([-1, 1]) * rng.randint(1, 9))
    return {((variable, 1),): Fraction(rng.choice([1, 1, 1, 2, 3, -1])), (): constant}


def draw_expression(rng: Random) -> Expression:
    """Return a monomial, a polynomial, a product of linear factors, or a sum with a function."""
    names = rng.sample(VARIABLES, rng.choice([1, 1, 2]))
    shape = rng.random()
    if shape < 0.15:
        powers = tuple(sorted((name, rng.randint(1, 4)) for name in names))
        return expression_of({powers: draw_coefficient(rng)})
    if shape < 0.4:
        return expression_of(draw_linear(rng, names[0]), draw_linear(rng, names[-1]))
    terms: Terms = {}
    for _ in range(rng.randint(2, 4)):
        powers = tuple(sorted((name, exponent) for name in names if (exponent := rng.randint(0, 3))))
        terms[powers] = draw_coefficient(rng)
    if shape > 0.8:
        terms[((f"{rng.choice(list(FUNCTIONS))} {names[0]}", 1),)] = draw_coefficient(rng)
    if not any(terms):  # a constant alone
        terms[((names[0], 1),)] = Fraction(2)
    return expression_of(terms)


def write_power(rng: Random, name: str, exponent: int, *, is_latex: bool) -> str:
    if " " in name:
        function, variable = name.split(" ")
        latex, plain = FUNCTIONS[function]
        ways = [latex, latex, latex.replace("{v}", "({v})")] if function not in ("exp", "root") else [latex]
        return (rng.choice(ways) if is_latex else plain).format(v=variable)
    if exponent == 1:
        return name
    if is_latex:
        return rng.choice(
            [f"{name}^{exponent}" if exponent < 10 else f"{name}^{{{exponent}}}", f"{name}^{{{exponent}}}"]
        )
    return rng.choice([f"{name}**{exponent}", f"{name}^{exponent}", name + str(exponent).translate(SUPERSCRIPTS)])


def write_term(rng: Random, powers: Powers, coefficient: Fraction, *, is_latex: bool) -> str:
    """Write the term without its sign."""
    between = rng.choice(["", "", "", " ", " \\cdot ", "\\,"] if is_latex else ["*", "*", " * ", "*"])
    names = list(powers)
    if not any(" " in name for name, _ in names):
        rng.shuffle(names)
    factors = [write_power(rng, name, exponent, is_latex=is_latex) for name, exponent in names]
    if factors and is_latex:  # functions come last: what stands behind them would be their argument
        factors.sort(key=lambda factor: factor.startswith("\\") and not factor.startswith("\\sqrt"))
    body = between.join(factors)
    size = abs(coefficient)
    if not body:
        return write_simple(rng, size, is_latex=is_latex)
    if size == 1:
        return body
    if size.denominator > 1 and rng.random() < 0.5:
        top = body if size.numerator == 1 else f"{size.numerator}{between}{body}"
        return f"\\frac{{{top}}}{{{size.denominator}}}" if is_latex else f"{top}/{size.denominator}"
    number = write_simple(rng, size, is_latex=is_latex)
    if not is_latex and "/" in number:
        number = f"({number})"
    return f"{number}{between}{body}"


def write_terms(rng: Random, terms: Terms, *, is_latex: bool) -> str:
    """Write a sum in any order of its terms."""
    order = sorted(terms.items(), key=lambda item: (-sum(exponent for _, exponent in item[0]), item[0]))
    if rng.random() < 0.5:
        rng.shuffle(order)
    if not order:
        return "0"
    space = rng.choice(["", " "])
    text = ""
    for powers, coefficient in order:
        term = write_term(rng, powers, coefficient, is_latex=is_latex)
        if not text:
            text = f"-{term}" if coefficient < 0 else term
        else:
            text += f"{space}{'-' if coefficient < 0 else '+'}{space}{term}"
    return text


def write_expression(rng: Random, value: Expression, is_gold: bool) -> str:
    is_latex = is_gold or rng.random() < 0.6
    factors = [dict(factor) for factor in value.factors]
    if len(factors) > 1 and rng.random() < 0.5:
        rng.shuffle(factors)
        left, right = ("\\left(", "\\right)") if is_latex and rng.random() < 0.3 else ("(", ")")
        between = "" if is_latex else rng.choice(["*", "*", ""])
        return between.join(f"{left}{write_terms(rng, factor, is_latex=is_latex)}{right}" for factor in factors)
    return write_terms(rng, value.terms(), is_latex=is_latex)


def change_terms(rng: Random, terms: Terms) -> Terms:
    """Return another polynomial: a coefficient, a sign, an exponent or a variable changed, a term more or less."""
    while True:
        powers = rng.choice(list(terms))
        coefficient = terms[powers]
        rest = {key: number for key, number in terms.items() if key != powers}
        changes = [
            add(rest, {powers: coefficient + 1}),
            add(rest, {powers: -coefficient}),
            add(rest, {powers: coefficient * 2}),
            add(terms, {(): Fraction(rng.choice([-1, 1, 2]))}),
        ]
        if powers:
            place = rng.randrange(len(powers))
            name, exponent = powers[place]
            others = powers[:place] + powers[place + 1 :]
            used = {variable for key in terms for variable, _ in key}
            if " " in name:
                function, variable = name.split(" ")
                renamed = f"{rng.choice([other for other in FUNCTIONS if other != function])} {variable}"
                changes.append(add(rest, {tuple(sorted([*others, (renamed, exponent)])): coefficient}))
            else:
                renamed = rng.choice([other for other in VARIABLES if other not in used] or ["t"])
                changes.append(add(rest, {tuple(sorted([*others, (name, exponent + 1)])): coefficient}))
                changes.append(add(rest, {tuple(sorted([*others, (renamed, exponent)])): coefficient}))
            changes.append(add(rest, {others: coefficient}))
        if len(rest) > 0:
            changes.append(rest)
        changed = rng.choice(changes)
        if changed and changed != terms:
            return changed


def change_expression(rng: Random, value: Expression) -> Expression:
    if len(value.factors) > 1 and rng.random() < 0.6:
        place = rng.randrange(len(value.factors))
        while True:
            factors = [dict(factor) for factor in value.factors]
            factors[place] = change_terms(rng, factors[place])
            changed = expression_of(*factors)
            if changed.terms() != value.terms():
                return changed
    return expression_of(change_terms(rng, value.terms()))


def dropped_parentheses(rng: Random) -> tuple[str, str]:
    """Return a product and the same text without its parentheses; monomials that differ in one letter."""
    variable = rng.choice(VARIABLES)
    factor, constant = rng.randint(2, 12), rng.randint(1, 9)
    letters = rng.sample(VARIABLES, 3)
    return rng.choice(
        [
            (f"{factor}({variable}+{constant})", f"{factor}{variable}+{constant}"),
            (f"{factor * 10}{letters[0]}{letters[1]}", f"{factor * 10}"),
            (f"{factor * 10}", f"{factor * 10}{letters[0]}{letters[1]}"),
            (f"{factor}{letters[0]}{letters[1]}", f"{factor}{letters[0]}{letters[2]}"),
            (f"({variable}+{constant})^2", f"{variable}+{constant}^2"),
            (f"\\frac{{{variable}+{constant}}}{{{factor}}}", f"{variable}+\\frac{{{constant}}}{{{factor}}}"),
            (f"\\frac{{{letters[0]}}}{{{letters[1]}}}", f"\\frac{{{letters[1]}}}{{{letters[0]}}}"),
            (f"{factor}^{{{variable}}}", f"{variable}^{{{factor}}}"),
        ]
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Equation:
    """The relation ``terms = 0``."""

    terms: tuple[tuple[Powers, Fraction], ...]


def equation_of(terms: Terms) -> Equation:
    return Equation(terms=tuple(sorted(terms.items())))


def draw_equation(rng: Random) -> Equation:
    """Return a line, a parabola, a circle, or a solved equation of one variable."""
    shape = rng.choice(["line", "line", "parabola", "circle", "value"])
    slope, shift = draw_coefficient(rng), draw_coefficient(rng)
    if shape == "value":
        return equation_of({((rng.choice(VARIABLES), 1),): Fraction(1), (): shift})
    if shape == "line":
        return equation_of({(("y", 1),): Fraction(1), (("x", 1),): slope, (): shift})
    if shape == "parabola":
        return equation_of(
            {(("y", 1),): Fraction(1), (("x", 2),): slope, (("x", 1),): shift, (): draw_coefficient(rng)}
        )
    center = Fraction(rng.randint(1, 6)), Fraction(rng.randint(1, 6))
    terms = {
        (("x", 2),): Fraction(1),
        (("x", 1),): -2 * center[0],
        (("y", 2),): Fraction(1),
        (("y", 1),): -2 * center[1],
    }
    return equation_of(add(terms, {(): Fraction(rng.randint(-30, -1))}))


def write_equation(rng: Random, value: Equation, is_gold: bool) -> str:
    """Write the relation with its terms on any side, at any scale."""
    is_latex = is_gold or rng.random() < 0.6
    terms = dict(value.terms)
    is_solved = len(terms) == 2 and () in terms
    if not is_solved and rng.random() < 0.3:
        terms = scale(terms, Fraction(rng.choice([2, 3, -1])))
    lead = next((powers for powers in terms if powers in (((("y", 1),),)) and (("y", 2),) not in terms), None)
    if is_solved:
        lead = next(powers for powers in terms if powers)
    if lead and (is_solved or rng.random() < 0.6):
        left = {lead: Fraction(1)}
        right = scale({powers: number for powers, number in terms.items() if powers != lead}, -1 / terms[lead])
    else:
        moved = {powers for powers in terms if rng.random() < 0.3}
        left = {powers: number for powers, number in terms.items() if powers not in moved}
        right = scale({powers: terms[powers] for powers in moved}, Fraction(-1))
    sides = [write_terms(rng, side, is_latex=is_latex) for side in (left, right)]
    if rng.random() < (0.1 if is_solved else 0.25):
        sides.reverse()
    return rng.choice(["=", " = ", " = "]).join(sides)


def change_equation(rng: Random, value: Equation) -> Equation:
    """Return a relation that is no multiple of ``value``."""
    terms = dict(value.terms)
    while True:
        changed = change_terms(rng, terms)
        powers = next(iter(terms))
        is_multiple = changed.keys() == terms.keys() and changed == scale(terms, changed[powers] / terms[powers])
        if any(changed) and not is_multiple:
            return equation_of(changed)


def other_variable(rng: Random) -> tuple[str, str]:
    first, second = rng.sample(VARIABLES, 2)
    number = write_simple(rng, draw_coefficient(rng), is_latex=True)
    return rng.choice(
        [
            (f"{first} = {number}", f"{second} = {number}"),
            (f"{first} = 2{second}", f"{second} = 2{first}"),
            (f"{first} = {number}", f"{first} \\neq {number}"),
            (f"{first} = {number}", f"{first} > {number}"),
            (f"{first}^2 + 1", f"{first}^2 + 1 = 0"),
        ]
    )
