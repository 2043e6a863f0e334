"""Exact arithmetic: normal forms, roots, and what they cannot decide."""

from __future__ import annotations

from fractions import Fraction

import pytest

from search.grading.values.forms import (
    HALF,
    ONE,
    I,
    TooLarge,
    add,
    atom_value,
    divide,
    function,
    is_equal,
    multiply,
    subtract,
    symbol,
    text,
)
from search.grading.values.functions import apply
from search.grading.values.powers import power, rational_root

TWO = Fraction(2)


def root(number: int) -> object:
    return rational_root(Fraction(number), HALF)


def test_roots_have_one_normal_form() -> None:
    assert text(root(12)) == "2*3^(1/2)"
    assert is_equal(multiply(root(2), root(6)), root(12)) is True
    assert is_equal(divide(ONE, add(ONE, root(2))), subtract(root(2), ONE)) is True
    assert is_equal(add(root(2), root(3)), root(5)) is False
    assert text(rational_root(Fraction(-8), Fraction(1, 3))) == "-2"
    assert text(rational_root(Fraction(-4), HALF)) == "2*i"


def test_powers_of_i_reduce() -> None:
    assert power(atom_value(I), TWO) == -1
    assert text(power(atom_value(I), Fraction(-1))) == "-i"


def test_polynomials_are_multiplied_out() -> None:
    x = symbol("x")
    assert text(power(add(x, ONE), TWO)) == "x^2+2*x+1"
    assert is_equal(divide(subtract(power(x, TWO), ONE), subtract(x, ONE)), add(x, ONE)) is True
    assert is_equal(x, symbol("y")) is False


def test_function_values_are_left_undecided() -> None:
    x = symbol("x")
    assert is_equal(function("sin", x), function("sin", x)) is True
    assert is_equal(function("sin", x), function("cos", x)) is None


def test_functions_of_rationals_are_exact() -> None:
    assert apply("factorial", [Fraction(5)]) == 120
    assert apply("binomial", [Fraction(5), TWO]) == 10
    assert apply("floor", [Fraction(-7, 2)]) == -4
    assert apply("log", [Fraction(32), TWO]) == 5
    with pytest.raises(ZeroDivisionError):
        apply("ln", [Fraction(0)])


def test_huge_values_are_refused_or_left_symbolic() -> None:
    assert text(power(Fraction(9), Fraction(10**9))).startswith("pow(")
    with pytest.raises(TooLarge):
        value = symbol("a")
        for name in "bcdefghjklmnopqrst":
            value = multiply(add(value, ONE), add(symbol(name), symbol(name + "'")))
