"""Steps that are single words: ``a`` goes on, ``=7`` answers 7, after ``!`` the model ended without an answer.

``a =7`` is a solution of two steps. Every word is TOKENS tokens long. The step format is PlainFormat.
"""

from __future__ import annotations

import re

from search.data import Candidate, Finish, Problem, State, Step

PROBLEM = Problem(id="p1", question="What is 3 + 4?", answer="7", source="test")
TOKENS = 10
STEP_PREFIX = re.compile(r"^Step \d+: (Smaller question|In other words):")

Words = tuple[str, ...]


def word(step: Step | None) -> str:
    """Return the word of a step; empty for the question."""
    if step is None:
        return ""
    return f"={step.answer}" if step.answer is not None else step.text.strip()


def words(state: State) -> Words:
    return tuple(word(step) for step in state.steps)


def bare(step: Step | None) -> str:
    """Return the word without the beginning that rStar gives a step: ``Step 2: Smaller question:q?s`` → ``q?s``."""
    return STEP_PREFIX.sub("", word(step))


def candidate(line: str) -> Candidate:
    """Return the candidate of one word or several."""
    *before, last = line.split(" ")
    so_far, tokens = "".join(f"{word}\n\n" for word in before), tuple(range(TOKENS * (len(before) + 1)))
    if last.startswith("="):
        return Candidate(f"{so_far}\\boxed{{{last[1:]}}}", tokens, Finish.END)
    if last.startswith("!"):
        return Candidate(f"{so_far}{last}", tokens, Finish.END)
    return Candidate(f"{so_far}{last}\n\n", tokens, Finish.STOP)


def endings(correct: int, n: int) -> list[Candidate]:
    """Return n completions of two steps, the first ``correct`` of them equal and ending =7, the others ending =8."""
    return [candidate(f"w{i if i >= correct else ''} ={7 if i < correct else 8}") for i in range(n)]
