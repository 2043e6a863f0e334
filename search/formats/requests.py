"""Requests to a policy beside the question: to reflect on an attempt, to judge a solution, to use a hint.

A step format renders them as turns of their own (``search/formats/turns.py``); none says a word of any step format.
"""

from __future__ import annotations

import re

from search.data import Request, Step

REFLECT = (
    "The answer of this attempt is wrong. Reflect on it: find the first step that does not hold and say to yourself why. "
    "Then solve the problem anew from the beginning, without that mistake."
)
JUDGE = (
    "Judge this solution by points, one each: it belongs to the question; it does a substantial part of the work; its "
    "steps follow from each other; every computation is right; it ends with a full and correct answer. Say briefly why, "
    "then write the total of 0 to 5 points in a last line of its own: Score: <points>"
)
MARK = re.compile(r"score:\s*([0-5](?:\.\d+)?)(?![\d.]*\d)", re.IGNORECASE)
HINT = "(The answer is {answer}. Show the steps that lead to it, as if nobody had told you.)"


def reflection_request(attempt: tuple[Step, ...]) -> Request:
    """Return the request to find the mistake in a failed attempt and to solve the problem anew (SPHERE, self-correction)."""
    return Request(REFLECT, attempt=attempt)


def hint_request(answer: str) -> Request:
    """Return the answer given away (STaR's rationalisation): a paragraph of the question, as it stands before the steps."""
    return Request(HINT.format(answer=answer))


def judge_request(solution: tuple[Step, ...]) -> Request:
    """Return the request to mark a solution from 0 to 5.

    The additive scale is that of self-rewarding models (arXiv 2401.10020, figure 2), with its points adapted to problems
    with one correct answer.
    """
    return Request(JUDGE, attempt=solution, is_judgement=True)


def parse_mark(text: str) -> float | None:
    """Return the last mark from 0 to 5 in a judgement, or None. "Score: 4\\nFinal score: 3.5/5" gives 3.5."""
    marks = [float(mark) for mark in MARK.findall(text)]
    return marks[-1] if marks and marks[-1] <= 5 else None
