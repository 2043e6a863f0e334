"""The sentences of the built-in curriculum: what each says and the Python that computes it, by family.

Knows phrasing and arithmetic of one step. How steps are chained into problems is compose.py's business.
"""

from __future__ import annotations

from dataclasses import dataclass, field

NAMES = tuple("Ada Ben Cleo Dan Eve Finn Gus Hana Ivo Karl Lena Milo".split())
UNITS = tuple("apples stamps coins cards shells books".split())


@dataclass(frozen=True, slots=True)
class Template:
    """One sentence that defines the quantity of ``{x}``.

    ``code`` is the Python expression for it; ``{y}`` is the quantity defined just before, ``{z}`` an earlier one,
    ``{u}`` the unit; every other name is a number drawn from its inclusive range (or list) in ``numbers``.
    """

    key: str
    text: str
    code: str
    numbers: dict[str, tuple[int, ...]] = field(default_factory=dict)

    @property
    def family(self) -> str:
        return self.key.split("/", maxsplit=1)[0]

    @property
    def references(self) -> int:
        """How many earlier quantities the sentence refers to."""
        return ("{y}" in self.code) + ("{z}" in self.code)


def span(low: int, high: int) -> tuple[int, ...]:
    return tuple(range(low, high + 1))


SMALL, MEDIUM, LARGE = span(2, 6), span(2, 20), span(5, 60)
PERCENT, TENTHS = (10, 20, 25, 50, 75), (10, 20, 25, 50)


def _phrased(key: str, code: str, numbers: dict[str, tuple[int, ...]], *texts: str) -> tuple[Template, ...]:
    return tuple(Template(f"{key}/{i}", text, code, numbers) for i, text in enumerate(texts))


QUANTITIES = (
    *_phrased("quantities/root", "{k}", {"k": LARGE}, "{x} has {k} {u}.", "There are {k} {u} in the bag of {x}."),
    *_phrased("quantities/more", "{y} + {k}", {"k": MEDIUM},
              "{x} has {k} more {u} than {y}.", "{x} owns {k} {u} more than {y} does."),
    *_phrased("quantities/fewer", "{y} - {k}", {"k": MEDIUM},
              "{x} has {k} fewer {u} than {y}.", "{x} is {k} {u} short of what {y} has."),
    *_phrased("quantities/times", "{y} * {k}", {"k": SMALL},
              "{x} has {k} times as many {u} as {y}.", "For every one of the {u} of {y}, {x} has {k}."),
    *_phrased("quantities/together", "{y} + {z}", {},
              "{x} has as many {u} as {y} and {z} together.", "The {u} of {y} and {z} add up to those of {x}."),
    *_phrased("quantities/difference", "{y} - {z}", {},
              "{x} has as many {u} as {y} has more than {z}.", "{x} would fill the gap from {z} up to {y}."),
)  # fmt: skip

RATES = (
    *_phrased("rates/root", "{k} * {m}", {"k": MEDIUM, "m": SMALL},
              "{x} packs {k} {u} an hour for {m} hours.", "In {m} days {x} finds {k} {u} a day."),
    *_phrased("rates/earn", "{y} + {k} * {m}", {"k": MEDIUM, "m": SMALL},
              "{x} starts with as many {u} as {y} and packs {k} an hour for {m} hours.",
              "{x} begins with the {u} of {y} and in {m} days finds {k} a day."),
    *_phrased("rates/spend", "{y} - {k} * {m}", {"k": MEDIUM, "m": SMALL},
              "{x} starts with as many {u} as {y} and sells {k} an hour for {m} hours.",
              "{x} begins with the {u} of {y} and in {m} days loses {k} a day."),
    *_phrased("rates/share", "{y} // {k}", {"k": SMALL},
              "{x} gets one of {k} equal parts of the {u} of {y}.",
              "The {u} of {y} fill {k} equal boxes and {x} takes one box."),
)  # fmt: skip

FRACTIONS = (
    *_phrased("fractions/part", "{y} * {k} // {m}", {"k": span(1, 3), "m": span(2, 5)},
              "{x} has {k}/{m} of the {u} of {y}.", "Take {k}/{m} of what {y} has to get the {u} of {x}."),
    *_phrased("fractions/percent", "{y} * {p} // 100", {"p": PERCENT},
              "{x} has {p} percent of the {u} of {y}.", "{p}% of the {u} of {y} are as many as {x} has."),
    *_phrased("fractions/raise", "{y} + {y} * {p} // 100", {"p": TENTHS},
              "{x} has {p} percent more {u} than {y}.", "{x} beats the {u} of {y} by {p} percent."),
    *_phrased("fractions/cut", "{y} - {y} * {p} // 100", {"p": TENTHS},
              "{x} has {p} percent fewer {u} than {y}.", "{x} falls {p} percent below the {u} of {y}."),
)  # fmt: skip

EQUATIONS = (
    *_phrased("equations/root", "({c} - {m}) // {k}", {"k": SMALL, "m": MEDIUM, "c": span(20, 160)},
              "{k} times the {u} of {x} plus {m} make {c}.", "Multiply the {u} of {x} by {k}, add {m} and get {c}."),
    *_phrased("equations/plus", "({y} - {m}) // {k}", {"k": SMALL, "m": MEDIUM},
              "{k} times the {u} of {x} plus {m} make the {u} of {y}.",
              "Multiply the {u} of {x} by {k}, add {m} and get those of {y}."),
    *_phrased("equations/minus", "({y} + {m}) // {k}", {"k": SMALL, "m": MEDIUM},
              "{k} times the {u} of {x} minus {m} make the {u} of {y}.",
              "Multiply the {u} of {x} by {k}, take off {m} and get those of {y}."),
    *_phrased("equations/missing", "{y} - {k}", {"k": MEDIUM},
              "With {k} more {u} {x} would have as many as {y}.", "Give {x} {k} {u} and {x} has what {y} has."),
)  # fmt: skip

SEQUENCES = (
    *_phrased("sequences/root", "{k} + {d} * ({m} - 1)", {"k": MEDIUM, "d": SMALL, "m": span(3, 8)},
              "A row starts at {k} and grows by {d}: its term {m} counts the {u} of {x}.",
              "The {u} of {x} are term {m} of the row that starts at {k} in steps of {d}."),
    *_phrased("sequences/grow", "{y} + {d} * ({m} - 1)", {"d": SMALL, "m": span(3, 8)},
              "A row starts at the {u} of {y} and grows by {d}: its term {m} counts the {u} of {x}.",
              "The {u} of {x} are term {m} of the row that starts at those of {y} in steps of {d}."),
    *_phrased("sequences/double", "{y} * 2 ** ({m} - 1)", {"m": span(2, 4)},
              "A row starts at the {u} of {y} and doubles: its term {m} counts the {u} of {x}.",
              "The {u} of {x} are term {m} of the row that starts at those of {y} and doubles."),
)  # fmt: skip

TEMPLATES = QUANTITIES + RATES + FRACTIONS + EQUATIONS + SEQUENCES
