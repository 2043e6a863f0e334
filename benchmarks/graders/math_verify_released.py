"""Grade with math-verify as released: both sides boxed, since its LaTeX reader wants mathematics to be marked."""

from __future__ import annotations

import logging
from importlib.metadata import version

from line_protocol import serve
from math_verify import parse, verify

MARKS = ("$", "\\boxed", "\\(", "\\[")


def marked(text: str) -> str:
    return text if any(mark in text for mark in MARKS) else f"\\boxed{{{text}}}"


def grade(gold: str, answer: str) -> bool:
    return bool(verify(parse(marked(gold)), parse(marked(answer))))


if __name__ == "__main__":
    logging.disable(logging.ERROR)
    serve(grade, f"math-verify {version('math-verify')}")
