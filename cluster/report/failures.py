"""Say in words what went wrong in a search: why steps failed, and why problems were given up."""

from __future__ import annotations

from collections.abc import Mapping

from search.core.expansion import NO_CANDIDATE
from search.data import Outcome, StepStatus

QUARANTINED = "quarantined"
WORDS: dict[str, str] = {
    StepStatus.NO_ANSWER: "ended without an answer",
    StepStatus.TOO_DEEP: "still open at the depth limit",
    NO_CANDIDATE: "no room left in the context",
    Outcome.SYNTAX_ERROR: "code with a syntax error",
    Outcome.EXCEPTION: "code raised an exception",
    Outcome.TIMEOUT: "code ran out of time",
    Outcome.OUT_OF_MEMORY: "code ran out of memory",
    Outcome.OUTPUT_TRUNCATED: "code printed too much",
    Outcome.FORBIDDEN: "code did something forbidden",
    Outcome.CRASHED: "code crashed",
    QUARANTINED: "problem given up",
}


def describe_failure(reason: str) -> str:
    """Return a reason of ``Tree.failures`` in words."""
    return WORDS.get(reason, reason.replace("_", " "))


def describe_failures(counts: Mapping[str, int]) -> str:
    """Return failures by their number, the most frequent first: "12 ended without an answer, 3 code ran out of time"."""
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{number} {describe_failure(reason)}" for reason, number in ordered) or "none"
