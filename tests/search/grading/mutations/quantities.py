"""Write numbers with units: spelled in many ways, converted exactly, dropped, or changed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from random import Random

from tests.search.grading.mutations.rationals import decimal_text, group_digits, is_terminating, write_fraction

# name -> dimension, size in the dimension's smallest unit, symbols, words
UNITS: dict[str, tuple[str, Fraction, list[str], list[str]]] = {
    "mm": ("length", Fraction(1), ["mm"], ["millimeters", "millimetres"]),
    "cm": ("length", Fraction(10), ["cm"], ["centimeters", "centimetres"]),
    "m": ("length", Fraction(1000), ["m"], ["meters", "metres"]),
    "km": ("length", Fraction(10**6), ["km"], ["kilometers", "kilometres"]),
    "in": ("customary length", Fraction(1), ["in"], ["inches"]),
    "ft": ("customary length", Fraction(12), ["ft"], ["feet"]),
    "yd": ("customary length", Fraction(36), ["yd"], ["yards"]),
    "mi": ("customary length", Fraction(63360), ["mi"], ["miles"]),
    "s": ("time", Fraction(1), ["s", "sec"], ["seconds"]),
    "min": ("time", Fraction(60), ["min"], ["minutes"]),
    "h": ("time", Fraction(3600), ["h", "hr"], ["hours"]),
    "day": ("time", Fraction(86400), [], ["days"]),
    "g": ("mass", Fraction(1), ["g"], ["grams"]),
    "kg": ("mass", Fraction(1000), ["kg"], ["kilograms"]),
    "mL": ("volume", Fraction(1), ["mL", "ml"], ["milliliters", "millilitres"]),
    "L": ("volume", Fraction(1000), ["L"], ["liters", "litres"]),
    "cm^2": ("area", Fraction(1), ["cm^2", "cm^{2}", "cm²"], ["square centimeters", "square centimetres"]),
    "m^2": ("area", Fraction(10000), ["m^2", "m^{2}", "m²"], ["square meters", "square metres"]),
    "ft^2": ("customary area", Fraction(1), ["ft^2", "ft^{2}", "ft²"], ["square feet"]),
    "cm^3": ("volume", Fraction(1), ["cm^3", "cm^{3}", "cm³"], ["cubic centimeters"]),
    "m^3": ("volume", Fraction(10**6), ["m^3", "m^{3}", "m³"], ["cubic meters"]),
    "km/h": ("speed", Fraction(5, 18), ["km/h"], ["kilometers per hour"]),
    "m/s": ("speed", Fraction(1), ["m/s"], ["meters per second"]),
    "mi/h": ("customary speed", Fraction(1), ["mph"], ["miles per hour"]),
    "degree": ("angle", Fraction(1), [], ["degrees"]),
    "dozen": ("count", Fraction(12), [], ["dozen"]),
    "apples": ("apples", Fraction(1), [], ["apples"]),
    "people": ("people", Fraction(1), [], ["people"]),
    "books": ("books", Fraction(1), [], ["books"]),
}
DRAWN = [name for name in UNITS if name != "dozen"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantity:
    size: Fraction
    unit: str


def draw_quantity(rng: Random) -> Quantity:
    size = Fraction(rng.randint(1, rng.choice([20, 500, 20_000])), rng.choice([1, 1, 1, 2, 4, 10]))
    unit = rng.choice(DRAWN)
    if unit in ("apples", "people", "books"):
        size = Fraction(size.numerator + 1)
    return Quantity(size=size + 1, unit=unit)


def write_size(rng: Random, size: Fraction) -> str:
    if size.denominator > 1:
        return (
            decimal_text(size)
            if is_terminating(size) and rng.random() < 0.7
            else f"\\frac{{{size.numerator}}}{{{size.denominator}}}"
        )
    text = str(size.numerator)
    return rng.choice(
        [text] * 4 + [f"{text}.0"] + ([group_digits(text, ","), group_digits(text, "{,}")] if size >= 1000 else [])
    )


def write_with_unit(rng: Random, value: Quantity) -> str:
    _, _, symbols, words = UNITS[value.unit]
    size = write_size(rng, value.size)
    ways = []
    for symbol in symbols:
        ways += [
            f"{size} {symbol}",
            f"{size}\\text{{ {symbol}}}",
            f"{size} \\text{{ {symbol}}}",
            f"{size}\\,\\mathrm{{{symbol}}}",
        ]
        ways += [f"{size} \\mathrm{{~{symbol}}}", f"{size}~\\text{{{symbol}}}", f"{size}\\ \\mathrm{{{symbol}}}"]
        if "^" in symbol:
            name, power = symbol.split("^")
            ways += [
                f"{size}\\text{{ {name}}}^{power}",
                f"{size}\\,\\mathrm{{{name}}}^{{{power.strip('{}')}}}",
                f"{size} \\mathrm{{~{name}}}^{power}",
            ]
        elif symbol.isalpha() and not size.endswith("}"):
            ways.append(f"{size}{symbol}")
    for word in words:
        ways += [f"{size} {word}", f"{size}\\text{{ {word}}}", f"{size} \\text{{ {word}}}", f"{size} \\text{{{word}}}"]
    if value.unit == "degree":
        ways += [f"{size}^\\circ", f"{size}^{{\\circ}}", f"{size}°", f"{size}\\degree"] * 2
    if value.unit == "m/s":
        ways += [
            f"{size}\\,\\mathrm{{m}}\\,\\mathrm{{s}}^{{-1}}",
            f"{size}\\ \\frac{{\\text{{m}}}}{{\\text{{s}}}}",
            f"{size} \\mathrm{{~m}} / \\mathrm{{s}}",
        ]
    return rng.choice(ways)


def convertible(value: Quantity) -> list[Quantity]:
    """Return the quantity in the other units of its dimension, where the size is a short decimal."""
    dimension, size, *_ = UNITS[value.unit]
    converted = []
    for name, (other_dimension, other_size, *_) in UNITS.items():
        quantity = Quantity(size=value.size * size / other_size, unit=name)
        if (
            other_dimension == dimension
            and name != value.unit
            and is_terminating(quantity.size)
            and len(decimal_text(quantity.size)) < 12
        ):
            converted.append(quantity)
    return converted


def write_quantity(rng: Random, value: Quantity, is_gold: bool) -> str:
    """Write the quantity with its unit; as an answer it may be converted, or its unit dropped."""
    if is_gold or rng.random() < 0.5:
        return write_with_unit(rng, value)
    if rng.random() < 0.4:
        return (
            write_size(rng, value.size)
            if rng.random() < 0.7 or value.size.denominator == 1
            else write_fraction(rng, value.size)
        )
    converted = convertible(value)
    return write_with_unit(rng, rng.choice(converted) if converted else value)


def change_quantity(rng: Random, value: Quantity) -> Quantity:
    """Return another size of the same unit."""
    changes = [value.size + 1, value.size * 10, value.size * 2, value.size + Fraction(1, 2), value.size * 7]
    return replace(value, size=rng.choice(changes))


def other_unit(rng: Random) -> tuple[str, str]:
    """Return the same number with two units."""
    value = draw_quantity(rng)
    others = [name for name in DRAWN if UNITS[name][:2] != UNITS[value.unit][:2]]
    other = rng.choice(others)
    same_dimension = [name for name in others if UNITS[name][0] == UNITS[value.unit][0]]
    if same_dimension and rng.random() < 0.6:
        other = rng.choice(same_dimension)
    return write_with_unit(rng, value), write_with_unit(rng, replace(value, unit=other))


def value_words(rng: Random) -> tuple[str, str]:
    """Return a number and the same number with a word that changes its value."""
    number = rng.randint(4, 40)
    word = rng.choice(
        [
            "squared",
            "cubed",
            "halves",
            "thirds",
            "dozen",
            "hundred",
            "thousand",
            "million",
            "choose 2",
            "root 2",
            "factorial",
        ]
    )
    return str(number), f"{number} {word}"
