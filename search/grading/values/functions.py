"""Apply named functions to exact values: exactly where the result is rational, else as a function value."""

from __future__ import annotations

import math
from fractions import Fraction

from search.grading.values.forms import (
    ONE,
    PI,
    UNIT,
    ZERO,
    E,
    Value,
    atom_value,
    divide,
    function,
    leading,
    negate,
    symbols,
)
from search.grading.values.powers import power

MAX_FACTORIAL = 4000
ALIASES = {
    "asin": "arcsin", "acos": "arccos", "atan": "arctan", "asinh": "arsinh", "acosh": "arcosh", "atanh": "artanh", "arccot": "acot",
    "ceiling": "ceil", "sgn": "sign", "Abs": "abs", "comb": "binomial", "Re": "re", "Im": "im",
}  # fmt: skip
ARITY_TWO = frozenset({"binomial", "root", "log", "plain_log", "Rational", "Fraction", "mod", "Pow"})
ODD = frozenset({"sin", "tan", "cot", "csc", "arcsin", "arctan", "sinh", "tanh", "arsinh", "artanh"})
EVEN = frozenset({"cos", "sec", "cosh"})


def apply(name: str, args: list[Value]) -> Value:
    """Return the value of a function. Raises ValueError for a wrong number of arguments, ArithmeticError without a value."""
    name = ALIASES.get(name, name)
    if name in ("gcd", "lcm", "max", "min"):
        return _of_many(name, args)
    if len(args) == 2 and name in ARITY_TWO:
        return _of_two(name, *args)
    if len(args) != 1:
        raise ValueError(f"{name} of {len(args)} arguments")
    return _of_one(name, args[0])


def _of_one(name: str, arg: Value) -> Value:
    match name:
        case "sqrt":
            return power(arg, Fraction(1, 2))
        case "cbrt":
            return power(arg, Fraction(1, 3))
        case "exp":
            return power(atom_value(E), arg)
        case "Rational" | "Fraction" | "Integer" | "Float":
            return arg
        case "abs":
            return _absolute(arg)
        case "factorial":
            return _factorial(arg)
        case "floor" | "ceil" if isinstance(arg, Fraction):
            return Fraction(math.floor(arg) if name == "floor" else math.ceil(arg))
        case "lg":
            return logarithm(Fraction(10), arg)
        case "sign" if isinstance(arg, Fraction):
            return Fraction((arg > 0) - (arg < 0))
        case "ln":
            return _natural_logarithm(arg)
    if name in ODD | EVEN and _is_negative(arg):
        inside = function(name, negate(arg))
        return negate(inside) if name in ODD else inside
    if name in ("sin", "tan", "arcsin", "arctan", "sinh", "tanh") and arg == ZERO:
        return ZERO
    return function(name, arg)


def _of_two(name: str, a: Value, b: Value) -> Value:
    match name:
        case "root":
            return power(a, divide(ONE, b))
        case "log" | "plain_log":
            return logarithm(b, a)
        case "Rational" | "Fraction":
            return divide(a, b)
        case "Pow":
            return power(a, b)
        case "binomial" if isinstance(a, Fraction) and isinstance(b, Fraction) and a.denominator == b.denominator == 1:
            if 0 <= b <= a <= MAX_FACTORIAL:
                return Fraction(math.comb(a.numerator, b.numerator))
        case "mod" if isinstance(a, Fraction) and isinstance(b, Fraction) and b:
            return a % b
    return function(name, a, b)


def _of_many(name: str, args: list[Value]) -> Value:
    numbers = [arg for arg in args if isinstance(arg, Fraction)]
    if not args or len(numbers) < len(args):
        return function(name, *args)
    if name in ("max", "min"):
        return max(numbers) if name == "max" else min(numbers)
    if any(number.denominator != 1 for number in numbers):
        raise ValueError(f"{name} of fractions")
    return Fraction(getattr(math, name)(*(number.numerator for number in numbers)))


def logarithm(base: Value, arg: Value) -> Value:
    """Return the logarithm to a base, as a quotient of natural ones; exactly where both are powers of one number."""
    if isinstance(base, Fraction) and isinstance(arg, Fraction) and base > 0 and base != 1 and arg > 0:
        exponent = round(math.log(arg) / math.log(base)) if 1 / 2**1000 < arg < 2**1000 and base < 2**1000 else 0
        if abs(exponent) < 5000 and base**exponent == arg:
            return Fraction(exponent)
    return divide(_natural_logarithm(arg), _natural_logarithm(base))


def _natural_logarithm(arg: Value) -> Value:
    if isinstance(arg, Fraction):
        if arg == 0:
            raise ZeroDivisionError("logarithm of zero")
        if arg == 1:
            return ZERO
        if arg.numerator == 1 and arg > 0:
            return negate(function("ln", 1 / arg))
    elif len(arg.num) == 1 and arg.den == UNIT:
        ((mono, coefficient),) = arg.num.items()
        if coefficient == 1 and len(mono) == 1 and mono[0][0] == E:
            return mono[0][1]
    return function("ln", arg)


def _absolute(arg: Value) -> Value:
    if isinstance(arg, Fraction):
        return abs(arg)
    if symbols(arg) or len(arg.num) > 1:
        return function("abs", negate(arg) if _is_negative(arg) else arg)
    ((mono, _),) = arg.num.items()
    if arg.den == UNIT and all(atom.fn == "prime" or atom in (PI, E) for atom, _ in mono):
        return negate(arg) if _is_negative(arg) else arg
    return function("abs", arg)


def _factorial(arg: Value) -> Value:
    if isinstance(arg, Fraction) and arg.denominator == 1 and 0 <= arg <= MAX_FACTORIAL:
        return Fraction(math.factorial(arg.numerator))
    return function("factorial", arg)


def _is_negative(value: Value) -> bool:
    """Return whether the term of a value that is written first is negative."""
    if isinstance(value, Fraction):
        return value < 0
    return value.num[leading(value.num)] < 0
