r"""Read numbers: whole, decimal, scientific, repeating, in another base, fractions, mixed; with per cent and currency signs.

``read_plain_number`` reads the common forms from raw text without splitting it into tokens.
"""

from __future__ import annotations

import re
from fractions import Fraction

from search.grading.kinds import PERCENT, Number, Quantity
from search.grading.reading.units import UNITS

MAX_EXPONENT = 9999
CURRENCIES = "$€£¥₹₩₽¢"
DIGITS = r"(?:\d{1,3}(?:,\d{3})+|\d+)"
PLAIN = re.compile(
    rf"\s*(?P<sign>[+-]?)(?P<money>\\?\$)?(?P<sign2>-?)"
    rf"(?:(?P<decimal>{DIGITS}(?:\.\d*)?|\.\d+)(?P<exponent>[eE][+-]?\d{{1,4}})?"
    rf"|\\[dt]?frac\s*\{{(?P<above>-?\d+)\}}\s*\{{(?P<below>\d+)\}})"
    rf"(?:\s*/\s*(?P<under>{DIGITS}))?\s*(?P<percent>\\?%)?\s*\.?\s*",
)
SCIENTIFIC = re.compile(
    r"(?P<sign>[+-]?)(?P<mantissa>\d+(?:\.\d+)?|\.\d+)\s*[*x]\s*10\s*\^\s*(?:\{\s*(?P<braced>[+-]?\s*\d+)\s*\}|\(?(?P<bare>[+-]?\d+)\)?)"
)
BASE = re.compile(r"\(?(?P<digits>[0-9A-Za-z]+)\)?_(?:\{(?:base)?\(?(?P<braced>\d+|[a-z]+)\)?\}|(?P<bare>\d+))")
BASE_WORDS = re.compile(r"(?P<digits>[0-9A-Za-z]+)\s*\(?(?:in)?\s*base\s*(?P<bare>\d+)\)?", re.IGNORECASE)
REPEATING = re.compile(r"(?P<whole>\d*)\.(?P<fixed>\d*)\((?P<period>\d+)\)")
NAMES = "two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen"
BASE_NAMES = {name: str(base) for base, name in enumerate(NAMES.split(), 2)}
PREFIXED = {"0x": 16, "0b": 2, "0o": 8}


def read_plain_number(text: str) -> Number | Quantity | None:
    """Return the number that a text in a common form writes; None for any other text."""
    result = PLAIN.fullmatch(text)
    if result is None:
        return None
    sign, money, sign2, decimal, exponent, above, below, under, percent = result.groups()
    if decimal is not None:
        if "," in decimal:
            if decimal[0] == "0":
                return None
            decimal = decimal.replace(",", "")
        number = Number(number_value(decimal + (exponent or "")), decimal_digits(decimal, exponent is not None))
    elif int(below):
        number = Number(Fraction(int(above), int(below)))
    else:
        return None
    if under is not None:
        divisor = int(under.replace(",", ""))
        if not divisor or money:
            return None
        number = Number(number.value / divisor)
    if (sign == "-") != (sign2 == "-"):
        number = Number(-number.value, number.digits)
    if percent:
        return Quantity(number, UNITS[PERCENT])
    return Quantity(number, UNITS["$"]) if money else number


def number_value(text: str) -> Fraction:
    """Return the exact value of a number token. Raises ValueError."""
    if text.isdecimal():
        return Fraction(int(text))
    result = REPEATING.fullmatch(text)
    if result is not None:
        return repeating_value(result["whole"], result["fixed"], result["period"])
    base = PREFIXED.get(text[:2])
    if base is not None:
        return Fraction(int(text, base))
    return Fraction(text if text[-1] != "." else text[:-1])


def decimal_digits(text: str, scientific: bool = False) -> int | None:
    """Return the significant digits of a decimal; None for a whole number or a repeating decimal, which are exact."""
    mantissa = re.split("[eE]", text, maxsplit=1)[0] if "e" in text or "E" in text else text
    if "(" in text or text[:2] in PREFIXED or (len(mantissa) == len(text) and not scientific and "." not in text):
        return None
    if mantissa.endswith(".") and len(mantissa) == len(text):
        return None
    return max(1, len(mantissa.replace(".", "").lstrip("0")))


def repeating_value(whole: str, fixed: str, period: str) -> Fraction:
    """Return the value of a repeating decimal: ``0.1(6)`` is 1/6."""
    base = Fraction(int(whole + fixed or "0"), 10 ** len(fixed))
    return base + Fraction(int(period), (10 ** len(period) - 1) * 10 ** len(fixed))


def read_scientific(text: str) -> Number | None:
    r"""Return the number written ``3.2 * 10^{8}``; None for any other text."""
    result = SCIENTIFIC.fullmatch(text)
    if result is None:
        return None
    exponent = int((result["braced"] or result["bare"]).replace(" ", ""))
    if abs(exponent) > MAX_EXPONENT:
        return None
    value = Fraction(result["mantissa"]) * Fraction(10) ** exponent
    digits = decimal_digits(result["mantissa"])
    return Number(-value if result["sign"] == "-" else value, digits)


def _are_digits(digits: str, base: int) -> bool:
    """Return whether letters and digits write a number rather than a name: at least one decimal digit, or hexadecimal."""
    return any(digit.isdecimal() for digit in digits) or (base == 16 and len(digits) > 1 and digits.isupper())


def read_base(text: str) -> Number | None:
    r"""Return the whole number written in another base: ``1101_2``, ``1A_{16}``; None for any other text."""
    result = BASE.fullmatch(text)
    base = result and (result["braced"] or result["bare"])
    base = BASE_NAMES.get(base, base) if base else base
    if result is None:
        result = BASE_WORDS.fullmatch(text)
        base = result and result["bare"]
    if (
        result is None
        or not base
        or not base.isdecimal()
        or not 2 <= int(base) <= 36
        or not _are_digits(result["digits"], int(base))
    ):
        return None
    try:
        return Number(Fraction(int(result["digits"], int(base))))
    except ValueError:  # a digit that the base does not have
        return None
