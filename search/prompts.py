r"""What a policy is told beyond the question: the one place for prompts. Knows words, no strategy and no model.

A request is added to the question and a step may be begun for the model to go on with, so that every step format can
render it. Both are left out of what is kept: the tree, and all that is learnt from it, has the bare question.
"""

from __future__ import annotations

import re

from search.strategies.tree.rstar_actions import Action

REQUESTS: dict[Action, str] = {
    Action.STEP: "Go on with just one more step of reasoning, and stop after it.",
    Action.REST: "Go on to the end: write every step that is still missing, then the final answer.",
    Action.SUBQUESTION: (
        "Take the problem apart. Go on with one step: a smaller question whose answer is needed next, and that answer. "
        "When nothing smaller is left to ask, ask the question itself and give the final answer."
    ),
    Action.AGAIN: "Answer the smaller question that was asked last. Think it through slowly, in this one step.",
    Action.REPHRASE: (
        "Before solving anything, say in one step what is known, condition by condition, and what is asked."
    ),
}

# How a step begins, by step format; {number} is that of the step, from 1. Other formats begin theirs themselves. No
# beginning ends in a space: models write it with the word that follows.
SUBQUESTIONS: dict[str, str] = {"code": "# Smaller question:", "plain": "Step {number}: Smaller question:"}
REPHRASINGS: dict[str, str] = {"code": "# In other words:", "plain": "Step {number}: In other words:"}

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
SCORE = re.compile(r"score:\s*([0-5](?:\.\d+)?)(?![\d.]*\d)", re.IGNORECASE)
HINT = "(The answer is {answer}. Show the steps that lead to it, as if nobody had told you.)"


def request(question: str, words: str) -> str:
    """The question with something to do about it; without ``words`` the question as it is."""
    return f"{question}\n\n{words}" if words else question


def reflection(question: str, attempt: str) -> str:
    """The question with a failed attempt at it and the call to find the mistake (SPHERE, self-correction)."""
    return request(question, REFLECT.format(attempt=attempt.strip()))


def hint(question: str, answer: str) -> str:
    """The question with its answer given away (STaR's rationalisation)."""
    return request(question, HINT.format(answer=answer))


def judgement(question: str, solution: str) -> str:
    """The question with a solution and the call to mark it from 0 to 5, after self-rewarding's additive scale (arXiv
    2401.10020, figure 2), its points said for problems with one right answer."""
    return request(question, JUDGE.format(solution=solution.strip()))


def read_mark(text: str) -> float | None:
    """The last mark from 0 to 5 in a judgement; None where there is none. "Score: 4\\nFinal score: 3.5/5" → 3.5."""
    found = [float(mark) for mark in SCORE.findall(text)]
    return found[-1] if found and found[-1] <= 5 else None


def beginning(action: Action, step_format: str, number: int, instructed: bool) -> str:
    """How step ``number`` begins for the model to go on with. A sub-question is announced to ``instructed`` models only:
    others have their own way of saying what a step is about."""
    if action is Action.REPHRASE:
        return REPHRASINGS.get(step_format, "").format(number=number)
    if action is Action.SUBQUESTION and instructed:
        return SUBQUESTIONS.get(step_format, "").format(number=number)
    return ""
