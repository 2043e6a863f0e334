"""Read the mark that ends a judgement, however it is written."""

from __future__ import annotations

import re

MARK = re.compile(
    r"\bscore\b[*_\"'` \t]*"  # "Score", "Total score", "**Score**"
    r"(?:(?:[:=]|\b(?:is|of)\b)[*_\"'`<(\[{$\s]*(?:\\boxed\{)?|(?=\d))"  # ":", "= ", " is ", "of <", ": \boxed{"
    r"(?P<mark>\d+(?:\.\d+)?)(?![\d.]*\d)"
    r"(?:[*_\"'`>)\]}$ \t]*(?:/|out of)[*_\"'`<(\[{$ \t]*(?P<scale>\d+(?:\.\d+)?))?",  # "/5", " out of 5"
    re.IGNORECASE,
)


def parse_mark(text: str, highest: float) -> float | None:
    """Return the last mark in a judgement, from 0 to ``highest``; None if there is none or it is off the scale.

    A mark with another scale is converted. With 5 as the highest: "Score: 4\\nFinal score: **3.5**/5" → 3.5, "a score of 8
    out of 10" → 4, "Score: 6" → None.
    """
    marks = list(MARK.finditer(text))
    if not marks:
        return None
    mark, scale = float(marks[-1]["mark"]), float(marks[-1]["scale"] or highest)
    return mark * highest / scale if mark <= scale and scale > 0 else None
