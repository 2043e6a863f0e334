"""Generated pairs with known verdicts: the generators against values worked out by hand, the grader against the pairs."""

from __future__ import annotations

import ast
from fractions import Fraction
from pathlib import Path
from random import Random

import pytest

from search.grading import equivalent
from tests.search.grading.mutations.bases import digits_in_base
from tests.search.grading.mutations.collections_of_answers import Interval, has_other_points, write_python_interval
from tests.search.grading.mutations.kinds import KINDS
from tests.search.grading.mutations.measure import measure, shortfalls
from tests.search.grading.mutations.number_forms import repeating_parts
from tests.search.grading.mutations.pairs import make_pairs
from tests.search.grading.mutations.polynomials import expression_of
from tests.search.grading.mutations.quantities import Quantity, convertible
from tests.search.grading.mutations.rationals import decimal_text, group_digits, rounded_text
from tests.search.grading.mutations.surds import Surd

FOLDER = Path(__file__).parent / "mutations"


def test_generators_share_no_code_with_the_grader() -> None:
    imported = {
        name
        for path in FOLDER.glob("*.py")
        if path.name != "__main__.py"
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in ([node.module or ""] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names])
    }
    assert {name for name in imported if name.partition(".")[0] in ("search", "sympy", "math_verify")} == set()


def test_numbers_are_written_to_the_digit() -> None:
    assert decimal_text(Fraction(-7, 16)) == "-0.4375"
    assert rounded_text(Fraction(2, 3), 6) == "0.666667"
    assert rounded_text(Fraction(1, 7), 8) == "0.14285714"
    assert group_digits("1234567.50", ",") == "1,234,567.50"
    assert repeating_parts(Fraction(1, 6)) == ("0", "1", "6")
    assert repeating_parts(Fraction(22, 7)) == ("3", "", "142857")
    assert digits_in_base(42, 8) == "52"
    assert Surd(shift=Fraction(1, 2), factor=Fraction(1, 2), root=5).decimal(16) == "1.618033988749895"
    assert Surd(shift=Fraction(0), factor=Fraction(1, 4), root="\\pi").decimal(16) == "0.7853981633974483"


def test_products_are_multiplied_out() -> None:
    x, constant = (("x", 1),), ()
    product = expression_of({x: Fraction(1), constant: Fraction(2)}, {x: Fraction(1), constant: Fraction(-2)})
    assert product.terms() == {(("x", 2),): 1, (): -4}


def test_unions_are_compared_by_their_points() -> None:
    closed = Interval(lower=Fraction(0), upper=Fraction(1), is_lower_closed=True, is_upper_closed=True)
    half_open = Interval(lower=Fraction(0), upper=Fraction(1), is_lower_closed=True, is_upper_closed=False)
    rest = Interval(lower=Fraction(1), upper=None, is_lower_closed=True, is_upper_closed=False)
    assert has_other_points((closed,), (half_open,))
    assert not has_other_points((closed, rest), (half_open, rest))
    assert write_python_interval(half_open) == "Interval.Ropen(0, 1)"
    assert write_python_interval(rest) == "Interval(1, oo)"


def test_quantities_are_converted_exactly() -> None:
    hour = Quantity(size=Fraction(3, 2), unit="h")
    assert {quantity.unit: quantity.size for quantity in convertible(hour)} == {
        "s": 5400,
        "min": 90,
        "day": Fraction(1, 16),
    }
    assert Quantity(size=Fraction(10), unit="m/s") in convertible(Quantity(size=Fraction(36), unit="km/h"))


@pytest.mark.parametrize("name", KINDS)
def test_changed_values_differ_and_seeds_repeat(name: str) -> None:
    kind, rng = KINDS[name], Random(7)
    for _ in range(200):
        value = kind.draw(rng)
        assert kind.change(rng, value) != value
    pairs = list(make_pairs(name, kind, 3, 40))
    assert pairs == list(make_pairs(name, kind, 3, 40))
    assert pairs != list(make_pairs(name, kind, 4, 40))
    assert sum(pair.is_equal for pair in pairs) == 20


def test_grader_agrees_with_short_run() -> None:
    agreements = measure(equivalent, seed=0, count=60)
    assert [pair for agreement in agreements for pair in agreement.disagreements] == []


@pytest.mark.slow
@pytest.mark.thorough
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_grader_stays_above_its_bars(seed: int) -> None:
    assert shortfalls(measure(equivalent, seed=seed, count=1000)) == []
