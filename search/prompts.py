"""Prompts that are put to a policy with the question: to reflect, to judge a solution, to use a hint.

An instruction is appended to the question, so that every step format can render it. It is not stored: trees and training
records contain the bare question.
"""

from __future__ import annotations

import re

REFLECT = (
    "Here is an attempt at this problem:\n\n{attempt}\n\n"
    "Its answer is wrong. Reflect on it: find the first step that does not hold and say to yourself why. Then solve the "
    "problem anew from the beginning, without that mistake."
)
JUDGE = (
    "Here is a solution of this problem:\n\n{solution}\n\n"
    "Judge it by points, one each: it belongs to the question; it does a substantial part of the work; its steps follow "
    "from each other; every computation is right; it ends with a full and correct answer. Say briefly why, then write "
    "the total of 0 to 5 points in a last line of its own: Score: <points>"
)
MARK = re.compile(r"score:\s*([0-5](?:\.\d+)?)(?![\d.]*\d)", re.IGNORECASE)
HINT = "(The answer is {answer}. Show the steps that lead to it, as if nobody had told you.)"


def add_instruction(question: str, instruction: str) -> str:
    """Return the question followed by an instruction, if there is one."""
    return f"{question}\n\n{instruction}" if instruction else question


def reflection_prompt(question: str, attempt: str) -> str:
    """Return the question with a failed attempt and the request to find its mistake (SPHERE, self-correction)."""
    return add_instruction(question, REFLECT.format(attempt=attempt.strip()))


def hint_prompt(question: str, answer: str) -> str:
    """Return the question with its answer given away (STaR's rationalisation)."""
    return add_instruction(question, HINT.format(answer=answer))


def judge_prompt(question: str, solution: str) -> str:
    """Return the question with a solution and the request to mark it from 0 to 5.

    The additive scale is that of self-rewarding models (arXiv 2401.10020, figure 2), with its points adapted to problems
    with one correct answer.
    """
    return add_instruction(question, JUDGE.format(solution=solution.strip()))


def parse_mark(text: str) -> float | None:
    """Return the last mark from 0 to 5 in a judgement, or None. "Score: 4\\nFinal score: 3.5/5" gives 3.5."""
    marks = [float(mark) for mark in MARK.findall(text)]
    return marks[-1] if marks and marks[-1] <= 5 else None
