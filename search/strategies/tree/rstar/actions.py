"""The five actions of rStar (arXiv 2408.06195, section 3.2) and which may follow which.

question ── A1 A2 A3 A5        after A5: A1 A2 A3        after A3: A1 A2 A3 A4
                               after A4: A1 A2 A3        after A1: A1 A2         after A2: the end
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from enum import StrEnum

from search.tree import Tree


class Action(StrEnum):
    """A way to go on with a solution."""

    STEP = "A1"  # one step
    REST = "A2"  # all remaining steps
    SUBQUESTION = "A3"  # the next sub-question and its answer, as one step
    AGAIN = "A4"  # another answer to that sub-question, in place of the first
    REPHRASE = "A5"  # the question in other words, as a step


GRAMMAR: dict[Action | None, tuple[Action, ...]] = {
    None: (Action.STEP, Action.REST, Action.SUBQUESTION, Action.REPHRASE),
    Action.STEP: (Action.STEP, Action.REST),
    Action.REST: (),
    Action.SUBQUESTION: (Action.STEP, Action.REST, Action.SUBQUESTION, Action.AGAIN),
    Action.AGAIN: (Action.STEP, Action.REST, Action.SUBQUESTION),
    Action.REPHRASE: (Action.STEP, Action.REST, Action.SUBQUESTION),
}

# The question that a step answers: its first comment line, or all up to its first question mark.
SUBQUESTION = re.compile(r"\s*#[^\n]*\n|[^?]*\?")


def actions_to(tree: Tree, index: int) -> tuple[Action, ...]:
    """Return the actions from the question down to a node. A node that continues another's chain has none."""
    return tuple(Action(tree.nodes[i].action) for i in tree.path(index) if tree.nodes[i].action)


def permitted(
    so_far: Sequence[Action], available: Collection[Action], max_actions: int, complete_last: bool = True
) -> tuple[Action, ...]:
    """Return what may come next, in the order of the grammar, on a path of at most ``max_actions`` actions.

    With ``complete_last`` the last action has to end the solution: only A2 is left for it, where it is ``available``.
    """
    left = max_actions - len(so_far)
    if left <= 0:
        return ()
    allowed = tuple(action for action in GRAMMAR[so_far[-1] if so_far else None] if action in available)
    return (Action.REST,) if left == 1 and complete_last and Action.REST in allowed else allowed


def subquestion_of(text: str) -> str:
    r"""Return the sub-question that a step begins with, empty where it shows none.

    ``"\n# How many are left?\nleft = 5 - 2\n"`` → ``"\n# How many are left?\n"``,
    ``"Step 2: How many are left? 5 - 2 = 3."`` → ``"Step 2: How many are left?"``.
    """
    match = SUBQUESTION.match(text)
    return match.group() if match is not None else ""
