"""Read units of measurement and counted things, with exact factors between units of one dimension."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from fractions import Fraction
from functools import lru_cache
from typing import TYPE_CHECKING

from search.grading.kinds import DEGREE, PERCENT, Unit

if TYPE_CHECKING:
    from search.grading.reading.tokens import Token

Dimension = tuple[tuple[str, int], ...]
MAX_WORDS = 8  # words of a unit phrase

TABLE: dict[str, tuple[str, str]] = {  # base units with exponents; names with factors
    "m": (
        "length",
        "m meter metre 米=1 km kilometer kilometre 千米 公里=1000 dm decimeter decimetre 分米=1/10 cm "
        "centimeter centimetre 厘米 公分=1/100 "
        "mm millimeter millimetre 毫米=1/1000 um micrometer micrometre micron=1/1000000 nm nanometer "
        "nanometre=1/1000000000 "
        "in inch=127/5000 ft foot feet=381/1250 yd yard=1143/1250 mi mile=201168/125 metro mètre=1 "
        "kilómetro kilomètre=1000",
    ),
    "s": (
        "time",
        "s sec second 秒 segundo seconde sekunde=1 ms millisecond=1/1000 usec microsecond=1/1000000 ns "
        "nanosecond=1/1000000000 "
        "min minute 分 分钟 minuto=60 h hr hour 小时 hora heure stunde=3600 day 天 日 día jour tag=86400 week 周 "
        "星期 semana semaine woche=604800 "
        "fortnight=1209600",
    ),
    "year": ("year", "year yr 年 岁 año année jahr=1 month 月 个月=1/12 decade=10 century=100"),
    "g": (
        "mass",
        "g gram gramme 克=1 kg kilogram kilo 千克 公斤=1000 mg milligram 毫克=1/1000 ug microgram=1/1000000 t "
        "tonne 吨=1000000 "
        "lb lbs pound=45359237/100000 oz ounce=45359237/1600000",
    ),
    "m^3": (
        "volume",
        "L l liter litre 升=1/1000 uL microliter=1/1000000000 ml mL milliliter millilitre 毫升=1/1000000 "
        "dl dL deciliter=1/10000 cl cL centiliter=1/100000 cc=1/1000000 "
        "gallon gal=473176473/125000000000 quart qt=473176473/500000000000 pint "
        "pt=473176473/1000000000000 cup=473176473/2000000000000",
    ),
    "m^2": ("area", "hectare ha 公顷=10000 acre=316160658/78125 are=100"),
    "usd": ("money", "dollar usd $ buck=1 cent ¢ penny pennies=1/100 dime=1/10 nickel=1/20"),
    "eur": ("money", "euro eur €=1"), "gbp": ("money", "gbp £ quid=1 pence=1/100"), "yen": ("money", "yen ¥ jpy=1"),
    "yuan": ("money", "yuan rmb cny 元=1 角=1/10 fen=1/100"), "inr": ("money", "rupee rs inr ₹=1 paise paisa=1/100"),
    "won": ("money", "won ₩ krw=1"),
    "rub": ("money", "ruble rouble ₽ rub=1"),
    "peso": ("money", "peso=1"),
    "franc": ("money", "franc chf=1"),
    "g m s^-2": ("force", "N newton=1000 kN kilonewton=1000000"),
    "g m^2 s^-2": (
        "energy",
        "J joule=1000 kJ kilojoule=1000000 MJ megajoule=1000000000 cal calorie=4184 kcal kilocalorie=4184000 "
        "kWh=3600000000 Wh=3600000",
    ),
    "eV": ("energy", "eV electronvolt=1 keV=1000 MeV=1000000 GeV=1000000000"),
    "g m^2 s^-3": ("power", "W watt=1000 kW kilowatt=1000000 MW megawatt=1000000000 mW milliwatt=1"),
    "V": ("voltage", "V volt=1 kV kilovolt=1000 mV millivolt=1/1000"),
    "A": ("current", "A amp ampere=1 mA milliampere=1/1000"),
    "ohm": ("resistance", "ohm Ω Omega=1 kΩ kiloohm=1000"),
    "C": ("charge", "coulomb=1"),
    "F": ("capacitance", "farad=1"),
    "s^-1": ("frequency", "Hz hertz=1 kHz kilohertz=1000 MHz megahertz=1000000 GHz=1000000000"),
    "g m^-1 s^-2": (
        "pressure",
        "Pa pascal=1000 hPa=100000 kPa kilopascal=1000000 MPa=1000000000 bar=100000000 atm atmosphere=101325000",
    ),
    "K": ("temperature", "K kelvin=1"),
    "degC": ("temperature", "celsius °C 摄氏度 ℃=1"),
    "degF": ("temperature", "fahrenheit °F ℉=1"),
    "mol": ("amount", "mol mole=1 mmol=1/1000"), "M": ("molarity", "molar=1"), "T": ("field", "tesla=1"),
    "rad": ("angle", "rad radian=1"), DEGREE: ("angle", "degree deg ° 度 grado degré grad=1"),
    "byte": ("data", "byte B=1 kB kilobyte=1000 MB megabyte=1000000 GB gigabyte=1000000000 TB=1000000000000"),
    "bit": ("data", "bit=1"), PERCENT: ("share", "% percent pct 百分比=1"),
}  # fmt: skip
MONEY = frozenset(base for base, (kind, _) in TABLE.items() if kind == "money")
SPEEDS = {"mph": "mi/h", "kph": "km/h", "kmph": "km/h", "mps": "m/s", "fps": "ft/s", "rpm": ""}
PREFIXES = {"square": 2, "sq": 2, "squared": 2, "cubic": 3, "cubed": 3, "cu": 3}
CHINESE_PREFIXES = {"平方": 2, "立方": 3}
SINGLE_LETTERS = frozenset("mgshLlNJWVKCF")  # units of one letter that may follow a number and a space
SCALES = {
    "hundred": 100, "thousand": 1_000, "million": 10**6, "billion": 10**9, "trillion": 10**12, "dozen": 12, "dozens": 12,
    "thousands": 1000, "millions": 10**6, "billions": 10**9, "万": 10**4, "亿": 10**8, "千": 1000, "百": 100,
}  # fmt: skip
PARTS = {
    "half": 2, "halves": 2, "third": 3, "thirds": 3, "quarters": 4, "fourth": 4, "fourths": 4, "fifth": 5, "fifths": 5, "sixth": 6,
    "sixths": 6, "sevenths": 7, "eighth": 8, "eighths": 8, "ninths": 9, "tenth": 10, "tenths": 10,
    "hundredths": 100, "thousandths": 1000,
}  # fmt: skip
NOT_UNIT_WORDS = """
and or plus minus times over divided multiplied by more less greater than not at least most squared cubed
choose root square-root factorial mod modulo if when where except about approximately roughly nearly between
below above no none nothing unless with without but so since because either neither both is are was were
equals equal equivalent false true wrong unknown the only to from power half quarter double twice triple score
pair pairs gross point remainder negative positive exactly exponent log ln pi even odd
"""  # words that change the value of a number, or make no unit of what stands with them
NOT_UNITS = frozenset(NOT_UNIT_WORDS.split()) | SCALES.keys() | PARTS.keys()  # fmt: skip
NOISE_WORDS = "old of age in total each away long tall wide high deep altogether respectively a an such us"
NOISE = frozenset(NOISE_WORDS.split())  # words that say nothing of the unit
CJK = re.compile("[\u3400-\u9fff]")


def dimension_of(parts: Iterable[tuple[str, int]]) -> Dimension:
    """Return base units with their exponents added up, in order of name."""
    exponents: dict[str, int] = {}
    for base, exponent in parts:
        exponents[base] = exponents.get(base, 0) + exponent
    return tuple(sorted((base, exponent) for base, exponent in exponents.items() if exponent))


def _build() -> dict[str, Unit]:
    known: dict[str, Unit] = {}
    for base, (_, names) in TABLE.items():
        parts = [part.partition("^") for part in base.split()]
        dimension = dimension_of((name, int(exponent or 1)) for name, _, exponent in parts)
        waiting: list[str] = []
        for word in names.split():
            name, equals, factor = word.partition("=")
            waiting.append(name)
            if equals:
                canonical = waiting[0]
                for each in waiting:
                    known[each] = Unit((canonical,), dimension, Fraction(factor))
                waiting = []
    return known


UNITS = _build()


@lru_cache(maxsize=4096)
def lookup(word: str) -> Unit | None:
    """Return the unit of a word in singular or plural, in its own or in lower case; None if there is none."""
    for form in (word, word.lower()) if len(word) > 1 else (word,):
        for candidate in (form, form.removesuffix("s"), form.removesuffix("es")) if len(form) > 2 else (form,):
            if candidate in UNITS and (len(candidate) > 1 or candidate == form):
                return UNITS[candidate]
    for prefix, exponent in CHINESE_PREFIXES.items():
        base = UNITS.get(word.removeprefix(prefix)) if word.startswith(prefix) else None
        if base is not None:
            return power(base, exponent)
    return None


def is_unit_word(word: str) -> bool:
    return lookup(word) is not None or word in SPEEDS or word in PREFIXES


def power(unit: Unit, exponent: int) -> Unit:
    parts = tuple((base, count * exponent) for base, count in unit.dimension)
    words = tuple(f"{word}^{exponent}" for word in unit.words)
    return Unit(words, parts, unit.factor**exponent)


def product(a: Unit, b: Unit) -> Unit:
    """Return the product of two units; without a dimension if one of them has none."""
    known = a.dimension and b.dimension
    return Unit(
        a.words + b.words,
        dimension_of(a.dimension + b.dimension) if known else (),
        a.factor * b.factor if known else Fraction(1),
    )


def singular(word: str) -> str:
    """Return a word without the ending of its plural, in lower case."""
    word = word.lower()
    if len(word) > 4 and word.endswith("ies"):
        return word[:-3] + "y"
    if len(word) > 4 and word.endswith(("ches", "shes", "sses", "xes")):
        return word[:-2]
    return word[:-1] if len(word) > 2 and word.endswith("s") and not word.endswith("ss") else word


def read_unit(tokens: Sequence[Token]) -> Unit | None:
    """Return the unit that tokens name: ``cm^2``, ``square meters``, ``m s^{-2}``, ``miles per hour``, ``red apples``.

    None if they are no unit, or if a word could change the value: ``squared``, ``or more``, ``choose``.
    """
    unit: Unit | None = None
    sign, raised, index, words = 1, 1, 0, 0
    while index < len(tokens):
        token = tokens[index]
        word = token.text
        if word == "/" or word.lower() == "per":
            if unit is None or sign < 0 or index == len(tokens) - 1:
                return None
            sign, index = -1, index + 1
            continue
        if word in ("*", ".", "-") and index and index < len(tokens) - 1:
            index += 1
            continue
        if token.kind not in ("word", "letter", "name") and word not in ("°", "%"):
            return None
        lower, words = word.lower(), words + 1
        if words > MAX_WORDS:
            return None
        if lower in PREFIXES and lower not in ("squared", "cubed"):
            raised, index = PREFIXES[lower], index + 1
            continue
        if lower in NOT_UNITS:
            return None
        if lower in NOISE and not (lower == "in" and unit is None):
            if lower == "of" and unit is not None and unit.dimension:
                return unit if _are_words(tokens[index:]) else None
            index += 1
            continue
        part, index = _unit_word(tokens, index)
        if part is None:
            return None
        exponent, index = _exponent(tokens, index)
        if exponent is None:
            return None
        exponent *= sign * raised
        part = power(part, exponent) if exponent != 1 else part
        unit, raised = part if unit is None else product(unit, part), 1
    return unit if raised == 1 else None


def _are_words(tokens: Sequence[Token]) -> bool:
    return all(token.kind == "word" and token.text.lower() not in NOT_UNITS for token in tokens)


def _unit_word(tokens: Sequence[Token], index: int) -> tuple[Unit | None, int]:
    token = tokens[index]
    word = token.text
    if word == "°" and index + 1 < len(tokens) and tokens[index + 1].text in ("C", "F"):
        return UNITS["°" + tokens[index + 1].text], index + 2
    if word.lower() == "degree" or word.lower() == "degrees":
        following = tokens[index + 1].text.lower() if index + 1 < len(tokens) else ""
        if following in ("celsius", "fahrenheit", "c", "f"):
            return UNITS["°" + following[0].upper()], index + 2
    if SPEEDS.get(word):
        above, below = SPEEDS[word].split("/")
        return product(UNITS[above], power(UNITS[below], -1)), index + 1
    known = lookup(word)
    if known is not None:
        return known, index + 1
    if token.kind != "word" or (len(word) < 2 and not CJK.search(word)):
        return None, index
    return Unit((singular(word),)), index + 1


def _exponent(tokens: Sequence[Token], index: int) -> tuple[int | None, int]:
    """Return the exponent after a unit and the index after it; None for one that is no whole number."""
    if index < len(tokens) and tokens[index].text.lower() in ("squared", "cubed"):
        return PREFIXES[tokens[index].text.lower()], index + 1
    if index >= len(tokens) or tokens[index].text != "^":
        if (
            index < len(tokens)
            and tokens[index].kind == "number"
            and tokens[index].text in "23"
            and not tokens[index].space
        ):
            return int(tokens[index].text), index + 1
        return 1, index
    index, braced, negative = index + 1, False, False
    if index < len(tokens) and tokens[index].text == "{":
        index, braced = index + 1, True
    if index < len(tokens) and tokens[index].text == "-":
        index, negative = index + 1, True
    if index >= len(tokens) or not tokens[index].text.isdecimal() or len(tokens[index].text) > 1:
        return None, index
    value = int(tokens[index].text)
    if braced and (index + 1 >= len(tokens) or tokens[index + 1].text != "}"):
        return None, index
    return -value if negative else value, index + 1 + braced
