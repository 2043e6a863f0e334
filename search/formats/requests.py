"""Requests to a policy beside the question: to reflect on an attempt, to judge a solution, to use a hint.

A step format renders them as turns of their own (``search/formats/turns.py``); none says a word of any step format.
"""

from __future__ import annotations

from search.data import Request, Step
from search.formats.judge_prompts import MATHEMATICS

REFLECT = (
    "The answer of this attempt is wrong. Reflect on it: find the first step that does not hold and say to yourself why. "
    "Then solve the problem anew from the beginning, without that mistake."
)
HINT = "(The answer is {answer}. Show the steps that lead to it, as if nobody had told you.)"


def reflection_request(attempt: tuple[Step, ...]) -> Request:
    """Return the request to find the mistake in a failed attempt and to solve the problem anew (SPHERE, self-correction)."""
    return Request(REFLECT, attempt=attempt)


def hint_request(answer: str) -> Request:
    """Return the answer given away (STaR's rationalisation): a paragraph of the question, as it stands before the steps."""
    return Request(HINT.format(answer=answer))


def judge_request(solution: tuple[Step, ...], prompt: str = MATHEMATICS) -> Request:
    """Return the request to mark a solution from 0 to 5 by a text of ``search.formats.judge_prompts``."""
    return Request(prompt, attempt=solution, is_judgement=True)
