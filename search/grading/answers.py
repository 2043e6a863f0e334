"""Answers as text: one normal form for each way of writing the same thing, exact numbers where they are numbers.

Knows how people, Python and LaTeX write short answers. Knows no algebra: that is ``search.grading.symbolic``'s.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

MAX_LENGTH = 400  # characters; a longer text is no answer
FLOAT_DIGITS = 12  # significant digits from which a decimal is taken for a printed float, with its rounding noise
SIMPLE_DENOMINATOR = 1000  # largest denominator looked for behind a printed float

SCALES = {"hundred": 100, "thousand": 1_000, "million": 10**6, "billion": 10**9, "trillion": 10**12}
NOT_UNITS = frozenset(
    {"and", "or", "to", "plus", "minus", "times", "over", "pi", "sqrt", "sin", "cos", "tan", "log", "ln", "exp", "mod"}
)

PLAIN = {
    "−": "-", "–": "-", "×": "*", "·": "*", "÷": "/", "π": r"\pi", "√": r"\sqrt", "°": "", "\xa0": " ",
    r"\dfrac": r"\frac", r"\tfrac": r"\frac", r"\cfrac": r"\frac", r"\left": "", r"\right": "", r"\$": "$", r"\%": "%",
    r"\!": "", r"\,": " ", r"\;": " ", r"\:": " ", r"\ ": " ", "~": " ", r"^{\circ}": "", r"^\circ": "",
    r"\displaystyle": "", r"\cdot": "*", r"\times": "*", "**": "^", "{,}": ",",
}  # fmt: skip
PLAIN_PATTERN = re.compile("|".join(re.escape(key) for key in sorted(PLAIN, key=len, reverse=True)))
WRAPPERS = (
    re.compile(r"^\$+(?P<inside>[^$]+)\$+$"),
    re.compile(r"^\\\((?P<inside>.*)\\\)$", re.DOTALL),
    re.compile(r"^\\\[(?P<inside>.*)\\\]$", re.DOTALL),
    re.compile(r"^\\(?:boxed|text|mathrm|mathbf|textbf)\s*\{(?P<inside>[^{}]*)\}$"),
)
MARKDOWN = re.compile(r"^\*+(?P<inside>[^*]+)\*+$")
TEXT_COMMAND = re.compile(r"\\(?:text|mathrm|mathbf|textbf|mbox)\s*\{([^{}]*)\}")
ASSIGNED = re.compile(r"^[A-Za-z](?:_\{?\w+\}?)?\s*=\s*(?P<inside>[^=<>]+)$")
WORDS = re.compile(r"^[^\W\d_][^\W\d_'’.\-]*(?:[\s,]+[^\W\d_][^\W\d_'’.\-]*)*$")

DIGITS = r"(?:\d{1,3}(?:,\d{3})+|\d+)"
DECIMAL = re.compile(rf"^(?P<sign>[+-]?)(?P<body>{DIGITS}(?:\.\d*)?|\.\d+)(?P<exponent>[eE][+-]?\d{{1,2}})?$")
SLASH = re.compile(rf"^(?P<sign>[+-]?)(?:(?P<whole>\d+)\s+)?\(?(?P<above>{DIGITS})\)?\s*/\s*\(?(?P<below>{DIGITS})\)?$")
FRAC = re.compile(
    r"^(?P<sign>[+-]?)(?P<whole>\d+)?\s*\\frac\s*"
    r"(?:\{\s*(?P<above>-?\d+)\s*\}\s*\{\s*(?P<below>\d+)\s*\}|(?P<a>\d)\s*(?P<b>\d))$"
)
UNIT = re.compile(r"^(?P<number>.*[\d.}%)])\s*(?P<unit>[A-Za-z][A-Za-z .'/^-]*(?:\^?\{?[23]\}?)?)$", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Number:
    """An exact value. ``places`` is the number of decimals it was written with, None if it was no decimal."""

    value: Fraction
    places: int | None = None
    percent: bool = False


def normalise(answer: str) -> str:
    r"""The answer without wrapping, LaTeX spacing and variants of signs: ``r'\(x = \dfrac{1}{2}\).'`` → ``\frac{1}{2}``."""
    text = MARKDOWN.sub(r"\g<inside>", answer.strip())
    before = None
    while text != before:
        before = text
        text = PLAIN_PATTERN.sub(lambda found: PLAIN[found.group()], text).strip()
        text = text.rstrip(".") if not text.endswith("..") else text
        for pattern in (*WRAPPERS, ASSIGNED):
            found = pattern.match(text)
            if found is not None:
                text = found["inside"].strip()
    return " ".join(TEXT_COMMAND.sub(r" \1 ", text).split())


def number(text: str) -> Number | None:
    """The exact number that a normalised text writes, its currency sign, unit and per cent sign understood; else None.

    ``3/4``, ``0.75``, ``1 1/2``, ``$1,234.50``, ``72 km/h``, ``1.5 million``, ``25%``. A decimal of 12 and more digits
    is taken for a printed float: ``0.30000000000000004`` is 3/10 and ``66.66666666666667`` is 200/3.
    """
    text = re.sub(r"^([+-]?)\s*[$€£¥]\s*([+-]?)", r"\1\2", text).strip().rstrip("$€£¥").strip()
    scale = 1
    found = UNIT.match(text)
    if found is not None and _bare(found["number"].strip()) is not None:
        words = re.split(r"[ /]+", found["unit"].lower())
        if words[0] == "percent":
            text = found["number"].strip() + "%"
        elif _is_unit(found["unit"], words):
            text, scale = found["number"].strip(), SCALES.get(words[0], 1)
    bare = _bare(text)
    return Number(bare.value * scale, bare.places, bare.percent) if bare is not None else None


def words_only(text: str) -> bool:
    """Whether a normalised text is a name or a phrase rather than mathematics: ``Monday``, ``no solution``."""
    return WORDS.match(text) is not None and any(len(word) > 2 for word in text.split())


def canonical(answer: str) -> str:
    """A key under which equal answers meet in a vote: an exact fraction for a number, else the normalised text.

    ``0.5``, ``1/2`` and ``$0.50`` give ``1/2``. A per cent sign counts as a unit: ``25%`` gives ``25``.
    """
    text = normalise(answer[:MAX_LENGTH])
    value = number(text)
    if value is not None:
        return str(value.value)
    if words_only(text):
        return text.lower()
    return re.sub(r"\s+", "", text)


def _is_unit(unit: str, words: list[str]) -> bool:
    """Units have words of two letters or more; single letters may be variables."""
    return (
        len(words) <= 5
        and len(words[0].rstrip("^{}23.")) >= 2
        and not NOT_UNITS & set(re.split(r"[^a-z]+", unit.lower()))
    )


def _bare(text: str) -> Number | None:
    percent = text.endswith("%")
    text = text.removesuffix("%").strip()
    found = DECIMAL.match(text)
    if found is not None:
        body = found["body"].replace(",", "")
        decimal = Decimal(found["sign"] + body + (found["exponent"] or ""))
        written = "." in body or bool(found["exponent"])
        if not written:
            return Number(Fraction(decimal), None, percent)
        exponent = decimal.as_tuple().exponent
        return Number(_without_noise(decimal), max(0, -int(exponent)), percent)
    found = SLASH.match(text)
    if found is not None:
        return _fraction(found["sign"], found["whole"], found["above"], found["below"], percent)
    found = FRAC.match(text)
    if found is not None:
        return _fraction(
            found["sign"], found["whole"], found["above"] or found["a"], found["below"] or found["b"], percent
        )
    return None


def _fraction(sign: str, whole: str | None, above: str, below: str, percent: bool) -> Number | None:
    over, under = int(above.replace(",", "")), int(below.replace(",", ""))
    if under == 0:
        return None
    value = int(whole or 0) + Fraction(over, under)
    return Number(-value if sign == "-" else value, None, percent)


def _without_noise(decimal: Decimal) -> Fraction:
    exact = Fraction(decimal)
    if len(decimal.as_tuple().digits) < FLOAT_DIGITS:
        return exact
    simple = exact.limit_denominator(SIMPLE_DENOMINATOR)
    noise = max(abs(exact), Fraction(1)) / 10**FLOAT_DIGITS
    return simple if abs(simple - exact) <= noise else exact
