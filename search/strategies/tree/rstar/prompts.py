"""How rStar's actions are put to a policy: the request after the steps so far, and the opening of the next step."""

from __future__ import annotations

from search.data import Request
from search.formats.base import StepFormat
from search.strategies.tree.rstar.actions import Action

INSTRUCTIONS: dict[Action, str] = {
    Action.STEP: "Go on with just one more step of reasoning, and stop after it.",
    Action.REST: "Go on to the end: write every step that is still missing, then the final answer.",
    Action.SUBQUESTION: (
        "Take the problem apart. Go on with one step: a smaller question whose answer is needed next, and that answer. "
        "When nothing smaller is left to ask, ask the question itself and give the final answer."
    ),
    Action.AGAIN: "Answer the smaller question that comes next. Think it through slowly, in this one step.",
    Action.REPHRASE: (
        "Before solving anything, say in one step what is known, condition by condition, and what is asked."
    ),
}
SUBQUESTION, REPHRASING = "Smaller question", "In other words"


def request_for(action: Action, steps: int) -> Request:
    """Return an action as a request after so many steps."""
    return Request(INSTRUCTIONS[action], steps_before=steps, asks_for_step=action is not Action.REST)


def step_prefix(action: Action, step_format: StepFormat, number: int, instructed: bool) -> str:
    """Return how step ``number`` (from 1) begins for the model to go on with.

    A sub-question is announced to ``instructed`` models only: others have their own way of saying what a step is about.
    """
    if action is Action.REPHRASE:
        return step_format.opening(REPHRASING, number)
    if action is Action.SUBQUESTION and instructed:
        return step_format.opening(SUBQUESTION, number)
    return ""
