"""Write and change rational numbers: integers, fractions and decimals."""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Context, Decimal
from fractions import Fraction
from random import Random

VULGAR = {
    (1, 2): "½",
    (1, 3): "⅓",
    (2, 3): "⅔",
    (1, 4): "¼",
    (3, 4): "¾",
    (1, 5): "⅕",
    (2, 5): "⅖",
    (1, 8): "⅛",
    (3, 8): "⅜",
}
SUPERSCRIPTS = str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")
FULL_WIDTH = str.maketrans("0123456789-.", "０１２３４５６７８９－．")
MINIMUM_DIGITS = 6  # significant digits from which a rounded decimal equals an exact value


def sign_of(value: Fraction) -> str:
    return "-" if value < 0 else ""


def draw_integer(rng: Random) -> Fraction:
    top = rng.choice([10, 100, 10_000, 10_000_000, 10**12, 10**18])
    return Fraction(rng.choice([-1, 1, 1, 1]) * rng.randint(0, top))


def draw_fraction(rng: Random) -> Fraction:
    """Return a rational that is no integer."""
    while True:
        value = Fraction(rng.choice([-1, 1, 1]) * rng.randint(1, 120), rng.randint(2, 60))
        if value.denominator > 1:
            return value


def draw_rational(rng: Random) -> Fraction:
    return draw_fraction(rng) if rng.random() < 0.5 else Fraction(rng.randint(-30, 99))


def draw_decimal(rng: Random) -> Fraction:
    """Return a number with one to five digits after the point."""
    places = rng.randint(1, 5)
    return Fraction(rng.choice([-1, 1, 1]) * rng.randint(1, 10 ** (places + rng.randint(0, 3))), 10**places)


def is_terminating(value: Fraction) -> bool:
    denominator = value.denominator
    for prime in (2, 5):
        while denominator % prime == 0:
            denominator //= prime
    return denominator == 1


def decimal_text(value: Fraction) -> str:
    """Return the shortest decimal of a terminating value, in full."""
    places = 0
    while (value * 10**places).denominator > 1:
        places += 1
    digits = str(abs(int(value * 10**places))).rjust(places + 1, "0")
    return sign_of(value) + (f"{digits[:-places]}.{digits[-places:]}" if places else digits)


def rounded_text(value: Fraction, digits: int) -> str:
    """Return ``value`` rounded to ``digits`` significant digits, in full."""
    rounded = Context(prec=digits, rounding=ROUND_HALF_EVEN).divide(
        Decimal(value.numerator), Decimal(value.denominator)
    )
    return f"{rounded:f}"


def group_digits(text: str, separator: str) -> str:
    """Put ``separator`` between groups of three digits before the point."""
    whole, point, rest = text.partition(".")
    return f"{int(whole):,}".replace(",", separator) + point + rest if not whole.startswith("-0") else text


def write_integer(rng: Random, value: Fraction, *, is_inner: bool = False, is_gold: bool = False) -> str:
    """Write an integer. ``is_inner``: it stands within a list, where a comma would separate.

    Python's printed forms and odd ways of writing stand in answers only, not in references (``is_gold``).
    """
    text = str(int(value))
    ways = [text] * 6 + [f"{text}.0", f"{text}.00", f"\\frac{{{int(value) * 3}}}{{3}}", f"{int(value) * 2}/2"]
    ways += [f"{{{text}}}", text.replace("-", "−"), f"\\left({text}\\right)", f"\\mathbf{{{text}}}"]
    if not is_inner and not is_gold:
        ways += [
            text.translate(FULL_WIDTH),
            f"\\text{{{text}}}",
            f"np.int64({text})",
            f"Integer({text})",
            f"{text}e0",
            f"= {text}",
        ]
        if abs(value) < 10**12:
            ways.append(f"np.float64({text}.0)")
    if not is_inner and abs(value) >= 1000:
        ways += [group_digits(text, mark) for mark in (",", "{,}", "\\,", " ", ",\\!", "\\ ")] * 2
    return rng.choice(ways)


def write_fraction(rng: Random, value: Fraction, *, is_inner: bool = False, is_gold: bool = False) -> str:
    """Write a rational number that is no integer."""
    sign, top, bottom = sign_of(value), abs(value.numerator), value.denominator
    factor = rng.choice([2, 3, 5, 10])
    slash = rng.choice(["/", " / ", "/"])
    ways = [f"{sign}{top}{slash}{bottom}"] * 3 + [f"{sign}\\frac{{{top}}}{{{bottom}}}"] * 3
    ways += [
        f"{sign}\\dfrac{{{top}}}{{{bottom}}}",
        f"{sign}\\tfrac{{{top}}}{{{bottom}}}",
        f"\\frac{{{sign}{top}}}{{{bottom}}}",
    ]
    ways += [f"\\frac {{ {sign}{top} }} {{ {bottom} }}", f"{sign}\\frac{{{top * factor}}}{{{bottom * factor}}}"]
    ways += [
        f"{sign}({top}/{bottom})",
        f"({sign}{top})/{bottom}",
        f"{{{sign}{top} \\over {bottom}}}",
        f"{sign}{top * factor}/{bottom * factor}",
    ]
    ways += [
        f"\\left({sign}\\frac{{{top}}}{{{bottom}}}\\right)",
        f"{sign}{top}⁄{bottom}",
        f"{sign}\\cfrac{{{top}}}{{{bottom}}}",
    ]
    ways += [f"{sign}\\frac{{{top}}}{{{bottom}}}".replace("-", "−")]
    if value < 0:
        ways.append(f"\\frac{{{top}}}{{-{bottom}}}")
    if top < 10 and bottom < 10:
        ways += [f"{sign}\\frac{top}{bottom}", f"{sign}\\frac{top}{{{bottom}}}", f"{sign}\\frac{{{top}}}{bottom}"]
    if (top, bottom) in VULGAR:
        ways += [sign + VULGAR[top, bottom]] * 2
    if is_terminating(value):
        ways += [decimal_text(value)] * 3
    if not is_inner and not is_gold:
        ways += [
            f"Fraction({value.numerator}, {bottom})",
            f"Rational({value.numerator}, {bottom})",
            f"{sign}{top} ÷ {bottom}",
        ]
    return rng.choice(ways)


def write_rational(rng: Random, value: Fraction, *, is_inner: bool = False, is_gold: bool = False) -> str:
    writer = write_integer if value.denominator == 1 else write_fraction
    return writer(rng, value, is_inner=is_inner, is_gold=is_gold)


def write_simple(rng: Random, value: Fraction, *, is_latex: bool) -> str:
    """Write a rational number in the plainest way: for coefficients and elements of long answers."""
    if value.denominator == 1:
        return str(value.numerator)
    if rng.random() < 0.25 and is_terminating(value):
        return decimal_text(value)
    sign, top, bottom = sign_of(value), abs(value.numerator), value.denominator
    if is_latex:
        command = rng.choice(["\\frac", "\\frac", "\\dfrac"])
        return f"{sign}{command}{{{top}}}{{{bottom}}}"
    return f"{sign}{top}/{bottom}"


def write_decimal(rng: Random, value: Fraction, *, is_gold: bool) -> str:
    """Write a terminating number; no fraction where it is the reference."""
    text = decimal_text(value)
    ways = [text] * 4 + [f"{text}0" if "." in text else f"{text}.0", f"{text}00" if "." in text else f"{text}.00"]
    ways += [text.replace("-", "−"), f"{{{text}}}", f"\\mathrm{{{text}}}", f"{text}e0"]
    if abs(value) < 1:
        ways.append(text.replace("0.", ".", 1))
    if abs(value) >= 1000:
        ways += [group_digits(text, ","), group_digits(text, "{,}"), group_digits(text, "\\,")]
    if not is_gold:
        ways += [text.translate(FULL_WIDTH), f"Decimal('{text}')", f"np.float64({text})", f"tensor({text})"]
        if value.denominator > 1:
            ways += [write_fraction(rng, value) for _ in range(4)]
    return rng.choice(ways)


def change_digit(rng: Random, value: Fraction) -> Fraction:
    """Return ``value`` with one digit of its decimal changed."""
    text = decimal_text(value)
    place = rng.choice([index for index, letter in enumerate(text) if letter.isdigit()])
    digit = rng.choice([digit for digit in "0123456789" if digit != text[place]])
    return Fraction(text[:place] + digit + text[place + 1 :])


def change_rational(rng: Random, value: Fraction) -> Fraction:
    """Return another rational number that looks like ``value``."""
    changes = [value + 1, value - 1, -value, value + Fraction(1, value.denominator), value * 10, value / 10, value * 2]
    if value:
        changes.append(1 / value)
    if value.denominator == 1:
        changes += [change_digit(rng, value) for _ in range(4)]
    else:
        changes += [Fraction(value.numerator, value.denominator + 1), Fraction(value.numerator + 2, value.denominator)]
    return rng.choice([changed for changed in changes if changed != value])
