"""The sentences of the built-in curriculum: what each says and the Python that computes it, by family.

Knows phrasing and arithmetic of one step. How steps are chained into problems is compose.py's business.
"""

from __future__ import annotations

from dataclasses import dataclass, field

NAMES = ("Ada", "Ben", "Cleo", "Dan", "Eve", "Finn", "Gus", "Hana", "Ivo", "Karl", "Lena", "Milo")
UNITS = ("apples", "stamps", "coins", "cards", "shells", "books")


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
    *_phrased("quantities/root", "{k}", {"k": LARGE}, "{x} has {k} {u}."),
    *_phrased("quantities/more", "{y} + {k}", {"k": MEDIUM},
              "{x} has {k} more {u} than {y}.", "{x} owns {k} {u} in addition to what {y} owns."),
    *_phrased("quantities/fewer", "{y} - {k}", {"k": MEDIUM},
              "{x} has {k} fewer {u} than {y}.", "{x} is {k} {u} short of what {y} owns."),
    *_phrased("quantities/times", "{y} * {k}", {"k": SMALL}, "{x} has {k} times as many {u} as {y}."),
    *_phrased("quantities/together", "{y} + {z}", {}, "{x} has as many {u} as {y} and {z} together."),
    *_phrased("quantities/difference", "{y} - {z}", {}, "{x} has as many {u} as {y} has beyond those of {z}."),
)  # fmt: skip

RATES = (
    *_phrased("rates/root", "{k} * {m}", {"k": MEDIUM, "m": SMALL}, "{x} packs {k} {u} an hour for {m} hours."),
    *_phrased("rates/earn", "{y} + {k} * {m}", {"k": MEDIUM, "m": SMALL},
              "{x} begins with the {u} of {y} and packs {k} an hour for {m} hours."),
    *_phrased("rates/spend", "{y} - {k} * {m}", {"k": MEDIUM, "m": SMALL},
              "{x} begins with the {u} of {y} and sells {k} a day for {m} days."),
    *_phrased("rates/share", "{y} // {k}", {"k": SMALL}, "{x} gets one of {k} equal parts of the {u} of {y}."),
)  # fmt: skip

FRACTIONS = (
    *_phrased("fractions/part", "{y} * {k} // {m}", {"k": span(2, 4), "m": span(3, 6)},
              "{x} has {k} of every {m} {u} that {y} has."),
    *_phrased("fractions/percent", "{y} * {p} // 100", {"p": PERCENT}, "{x} has {p} percent of the {u} of {y}."),
    *_phrased("fractions/raise", "{y} + {y} * {p} // 100", {"p": TENTHS}, "{x} has {p} percent more {u} than {y}."),
    *_phrased("fractions/cut", "{y} - {y} * {p} // 100", {"p": TENTHS}, "{x} has {p} percent fewer {u} than {y}."),
)  # fmt: skip

EQUATIONS = (
    *_phrased("equations/plus", "({y} - {m}) // {k}", {"m": MEDIUM, "k": SMALL},
              "{x} has so many {u} that {y} has {m} more than {k} times as many."),
    *_phrased("equations/minus", "({y} + {m}) // {k}", {"m": MEDIUM, "k": SMALL},
              "{x} has so many {u} that {y} has {m} fewer than {k} times as many."),
    *_phrased("equations/missing", "{y} - {k}", {"k": MEDIUM}, "{x} needs {k} more {u} to have as many as {y}."),
)  # fmt: skip

SEQUENCES = (
    *_phrased("sequences/root", "{k} + {d} * {m}", {"k": MEDIUM, "d": SMALL, "m": span(3, 8)},
              "{x} has a row of {u} that starts at {k} and grows by {d} for {m} terms."),
    *_phrased("sequences/grow", "{y} + {d} * {m}", {"d": SMALL, "m": span(3, 8)},
              "{x} has a row of {u} that starts at those of {y} and grows by {d} for {m} terms."),
    *_phrased("sequences/double", "{y} * 2 ** {m}", {"m": span(2, 4)},
              "{x} has a row of {u} that starts at those of {y} and doubles {m} times."),
)  # fmt: skip

TEMPLATES = QUANTITIES + RATES + FRACTIONS + EQUATIONS + SEQUENCES
