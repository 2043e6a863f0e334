"""Texts that ask a policy to mark its own solution from 0 to 5, for self-rewarding (arXiv 2401.10020, figure 2).

The scale is additive: each point presupposes the ones before it. "general" has the paper's five criteria in other words;
"mathematics" adapts them to problems with one correct answer. A format shows the text as a user turn after the solution, so
it contains neither.
"""

from __future__ import annotations

from pathlib import Path

from search.errors import UserError

MATHEMATICS = (
    "Judge this solution by points, one each: it belongs to the question; it does a substantial part of the work; its "
    "steps follow from each other; every computation is right; it ends with a full and correct answer. Say briefly why, "
    "then write the total of 0 to 5 points in a last line of its own: Score: <points>"
)
GENERAL = (
    "Judge this response to the question on an additive scale of five points. The first: it is relevant and says something "
    "about the question, even if it is incomplete or partly beside the point. The second: it deals with a substantial part "
    "of the question, though not with all of it. The third: it answers the basic elements of the question in a useful way, "
    "whatever its style. The fourth: it is written as an assistant would, direct and comprehensive, well organized and "
    "helpful, with a little room for more clarity, brevity or focus. The fifth: it fits the question without a flaw, with "
    "nothing superfluous, expert, engaging and insightful. Say in at most 100 words why, then write the total of 0 to 5 "
    "points in a last line of its own: Score: <points>"
)
JUDGE_PROMPTS = {"mathematics": MATHEMATICS, "general": GENERAL}


def read_judge_prompt(name: str) -> str:
    """Return the text of a name in JUDGE_PROMPTS, or of a file. Raises UserError if it cannot be read or asks for no score."""
    if name in JUDGE_PROMPTS:
        return JUDGE_PROMPTS[name]
    try:
        text = Path(name).expanduser().read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        known = ", ".join(JUDGE_PROMPTS)
        raise UserError(f"method.options.prompt: {name} is not one of {known}, and no file to read: {error}") from error
    if "score:" not in text.lower():
        raise UserError(f"method.options.prompt: {name} does not ask for a line 'Score: <0 to 5>'")
    return text
