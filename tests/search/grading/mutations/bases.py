"""Write whole numbers in other bases, percentages and sums of money."""

from __future__ import annotations

from fractions import Fraction
from random import Random

from tests.search.grading.mutations.rationals import (
    change_digit,
    change_rational,
    decimal_text,
    group_digits,
    sign_of,
    write_fraction,
)

DIGITS = "0123456789ABCDEF"
BASE_WORDS = {2: "two", 3: "three", 5: "five", 8: "eight"}
PYTHON_PREFIXES = {2: "0b", 8: "0o", 16: "0x"}
CURRENCIES = {  # prefixes and suffixes of one currency; the first of each is the reference's
    "dollar": (["$", "\\$", "US$"], [" dollars", " USD", "\\text{ dollars}", " \\text{ dollars}"]),
    "euro": (["€"], [" euros", " EUR", "€", " €", "\\text{ euros}"]),
    "pound": (["£", "\\pounds "], [" pounds", " GBP", "\\text{ pounds}"]),
    "rupee": (["₹", "Rs. "], [" rupees", "\\text{ rupees}"]),
    "yen": (["¥"], [" yen", "\\text{ yen}"]),
}


def digits_in_base(value: int, base: int) -> str:
    digits = ""
    while value:
        value, digit = divmod(value, base)
        digits = DIGITS[digit] + digits
    return digits or "0"


def draw_based(rng: Random) -> tuple[int, int]:
    """Return a whole number and its base."""
    while True:
        base = rng.choice([2, 2, 3, 4, 5, 6, 7, 8, 8, 9, 11, 12, 16])
        number = rng.randint(base, 5000)
        if not digits_in_base(number, base).isalpha():  # ABA_{12} may be a variable
            return number, base


def write_based(rng: Random, value: tuple[int, int], is_gold: bool) -> str:
    number, base = value
    text = digits_in_base(number, base)
    ways = [f"{text}_{{{base}}}"] * 3 + [
        f"({text})_{{{base}}}",
        f"{text}_{{({base})}}",
        f"\\left({text}\\right)_{{{base}}}",
    ]
    ways += [f"{text}_{base}"] if base < 10 else []
    if not text.isdigit():
        ways = [*ways[:3], f"\\text{{{text}}}_{{{base}}}", f"\\mathrm{{{text}}}_{{{base}}}"]
    if base in BASE_WORDS:
        ways += [f"{text}_{{\\text{{{BASE_WORDS[base]}}}}}"]
    if not is_gold:
        ways += [
            f"{text} base {base}",
            f"{text} (base {base})",
            f"{text} \\text{{ (base }} {base})",
            f"{text} in base {base}",
            str(number),
        ]
        if base in PYTHON_PREFIXES:
            ways.append(PYTHON_PREFIXES[base] + text.lower())
    return rng.choice(ways)


def change_based(rng: Random, value: tuple[int, int]) -> tuple[int, int]:
    """Return another number: a digit changed, digits swapped, or the same digits in another base."""
    number, base = value
    text = digits_in_base(number, base)
    other_base = rng.choice([other for other in range(2, 17) if other != base])
    changes = [(number + 1, base), (number + base, base), (number - 1, base), (int(text[::-1], base), base)]
    if all(int(digit, 16) < other_base for digit in text):
        changes += [(int(text, other_base), other_base)] * 2
    return rng.choice([changed for changed in changes if changed[0] != number])


def draw_percentage(rng: Random) -> Fraction:
    places = rng.choice([0, 0, 0, 1, 2])
    return rng.choice([1, 1, 1, -1]) * Fraction(rng.randint(1, 150 * 10**places), 10**places)


def write_percentage(rng: Random, value: Fraction, is_gold: bool) -> str:
    """Write so many per cent: with a sign or a word, or as number or share where it is the answer."""
    text = decimal_text(value)
    ways = [f"{text}%", f"{text}\\%", f"{text} \\%", f"{text} %", f"{text}\\,\\%", f"{text}\\ \\%"] * 2
    ways += [
        f"{text} percent",
        f"{text}\\text{{ percent}}",
        f"{text} per cent",
        f"{text}％",
        f"{text} \\text{{ percent}}",
    ]
    ways += [
        f"{text}0%" if "." in text else f"{text}.0%",
        f"{text}0\\%" if "." in text else f"{text}.00\\%",
        f"{{{text}}}\\%",
    ]
    if not is_gold:
        share = value / 100
        ways += [text, text, decimal_text(share), decimal_text(share)]
        if share.denominator > 1:
            ways += [
                write_fraction(rng, share),
                f"{sign_of(share)}\\frac{{{abs(value.numerator)}}}{{{value.denominator * 100}}}",
            ]
    return rng.choice(ways)


def change_percentage(rng: Random, value: Fraction) -> Fraction:
    """Return another percentage that no reading as number or share makes equal."""
    while True:
        changed = rng.choice([change_digit(rng, value), change_rational(rng, value), value * 10, value / 10, -value])
        places_apart = [changed * Fraction(100) ** power for power in range(-2, 3)]
        if value not in places_apart and changed.denominator in (1, 2, 4, 5, 10, 20, 25, 50, 100, 125, 250, 500, 1000):
            return changed


def draw_money(rng: Random) -> tuple[str, Fraction]:
    """Return a currency and an amount."""
    cents = rng.choice([0, 0, 50, 25, rng.randint(1, 99)])
    return rng.choice([*CURRENCIES, "dollar", "dollar", "dollar"]), rng.randint(
        1, rng.choice([9, 99, 999_999])
    ) + Fraction(cents, 100)


def write_money(rng: Random, value: tuple[str, Fraction], is_gold: bool) -> str:
    currency, amount = value
    whole_cents = f"{float(amount):.2f}"
    texts = [whole_cents] * 2 + [decimal_text(amount)]
    if amount >= 1000:
        texts += [
            group_digits(whole_cents, ","),
            group_digits(whole_cents, "{,}"),
            group_digits(decimal_text(amount), ","),
        ]
    text = rng.choice(texts)
    prefixes, suffixes = CURRENCIES[currency]
    ways = [prefixes[0] + text, rng.choice(prefixes) + text, text + rng.choice(suffixes)]
    if not is_gold:
        ways.append(text)
        if currency == "dollar" and amount < 20:
            ways += [f"{amount * 100} cents", f"{amount * 100}¢", f"\\text{{\\$}}{text}"]
    return rng.choice(ways)


def change_money(rng: Random, value: tuple[str, Fraction]) -> tuple[str, Fraction]:
    currency, amount = value
    changed = rng.choice(
        [amount + 1, amount + Fraction(1, 100), amount * 10, amount + Fraction(rng.randint(1, 9), 10), amount + 100]
    )
    return currency, changed


def other_currency(rng: Random) -> tuple[str, str]:
    """Return the same amount of two currencies."""
    currency, amount = draw_money(rng)
    other = rng.choice([name for name in CURRENCIES if name != currency])
    prefixes, suffixes = CURRENCIES[other]
    text = decimal_text(amount)
    return CURRENCIES[currency][0][0] + text, rng.choice([prefixes[0] + text, text + suffixes[0]])


def cents_for_dollars(rng: Random) -> tuple[str, str]:
    amount = rng.randint(2, 99)
    return f"\\${amount}", rng.choice([f"{amount} cents", f"{amount}¢", f"\\${amount}.{rng.randint(1, 99):02d}"])
