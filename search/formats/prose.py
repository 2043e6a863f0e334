r"""Steps in prose: where they end, and which of them ends the solution with what answer.

A piece that says nothing is no step. Blank lines belong to the end of the step before them; at the start of a candidate
they are dropped, so every model reads the text without them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from search.data import Finish, State, Step, StepStatus
from search.formats.turns import lay_out, read_on
from search.grading.extract import boxed_answer, extract_answer, text_after_box


class Delimiter(StrEnum):
    """What ends a step in prose."""

    BLANK_LINE = "blank_line"
    LINE = "line"
    NUMBERED = "numbered"  # the next number of a list: "2.", "2)", "Step 2:", "## Step 2:", "**2.", "**Step 2:"


SEPARATORS = {Delimiter.BLANK_LINE: "\n\n", Delimiter.LINE: "\n", Delimiter.NUMBERED: "\n"}
AFTER_SEPARATOR = {
    Delimiter.BLANK_LINE: re.compile(r"\n\n(?:[ \t]*\n)*"),
    Delimiter.LINE: re.compile(r"\n(?:[ \t]*\n)*"),
}
LEADING_BLANK_LINES = re.compile(r"(?:[ \t]*\n)+")
LIST_NUMBER = re.compile(r"^(?:#{1,6} +)?(?:\*\*)?(?:Step +)?(\d{1,3})(?:[.:)]|\*\*)(?!\d)", re.MULTILINE)
BEFORE_NUMBER = ("{}.", "{})", "**{}.", "Step {}", "**Step {}", "## Step {}", "### Step {}")
# What may stand behind an answer in its last line: the end of a formula, punctuation, but no word and no number.
CLOSING_COMMAND = re.compile(r"\\(?:end\{[a-z]+\*?\}|right|quad|qquad)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Before:
    """What stands before a candidate.

    ``solution`` are all steps so far, ``turn`` those since the last request, which ``asks_for_step`` if its response is to
    be one step and not the rest of the solution.
    """

    solution: str = ""
    turn: str = ""
    asks_for_step: bool = False


NOTHING = Before()


def before_candidate(state: State | None) -> Before:
    """Return what stands before a candidate that continues ``state``; nothing without a state."""
    if state is None:
        return NOTHING
    asks_for_step = state.request is not None and state.request.asks_for_step
    return Before(solution=read_on(state.steps), turn=read_on(lay_out(state).steps), asks_for_step=asks_for_step)


def stop_strings(delimiter: Delimiter, turn: str) -> tuple[str, ...]:
    """Return the strings at which the next step ends, after the steps ``turn``.

    A step that begins with the next number of a list ends at the one after that; one without a number at the next.
    """
    if delimiter is not Delimiter.NUMBERED:
        return (SEPARATORS[delimiter],)
    last = _last_number(turn)
    return tuple(f"\n{form.format(number)}" for number in (last + 1, last + 2) for form in BEFORE_NUMBER)


def split_steps(text: str, delimiter: Delimiter, turn: str = "") -> list[str]:
    """Cut a text into steps, none of them blank; joined they are the text, unless it is blank as a whole."""
    if delimiter is Delimiter.NUMBERED:
        cuts = _numbers_in_order(text, _last_number(turn))
    else:
        cuts = [match.end() for match in AFTER_SEPARATOR[delimiter].finditer(text)]
    pieces: list[str] = []
    for begin, end in zip([0, *cuts], [*cuts, len(text)], strict=True):
        piece = text[begin:end]
        if piece.strip() or not pieces:
            pieces.append(piece)
        else:
            pieces[-1] += piece
    return [piece for piece in pieces if piece]


def parse_prose(
    text: str,
    finish: Finish,
    delimiter: Delimiter,
    before: Before = NOTHING,
    *,
    ends_at_box: bool = False,
) -> tuple[Step, ...]:
    r"""Return the steps in a text that a policy wrote.

    Where the model ended its text, the last step is FINAL with the answer that the whole solution states
    (``extract_answer``: the last ``\boxed{}``, else after "####" or "the answer is"), and has no answer if it states
    none; the step is empty where the model said no more than that it had ended. Where it was cut off at its token limit,
    the unfinished line at the end of the last step is left out, if there are others, and the step stays open. With
    ``ends_at_box``, for models that do not end by themselves, the first step that ends in a box is FINAL.
    """
    if not before.turn or before.turn.endswith("\n"):
        leading = LEADING_BLANK_LINES.match(text)
        text = text[leading.end() :] if leading else text
        text = text if text.strip() else ""
    if delimiter is Delimiter.NUMBERED and finish is Finish.STOP:
        text = _without_next_number(text, stop_strings(delimiter, before.turn))
    pieces = split_steps(text, delimiter, before.turn)
    if finish is Finish.END and before.asks_for_step and boxed_answer(text) is None:
        return _with_separator(pieces, SEPARATORS[delimiter])
    if finish is Finish.END:
        return _ended(pieces, extract_answer(before.solution + text))
    for count, piece in enumerate(pieces if ends_at_box else ()):
        answer = boxed_answer(piece) if ends_in_box(piece) else None
        if answer is not None:
            return (*map(Step, pieces[:count]), Step(piece, status=StepStatus.FINAL, answer=answer))
    if finish is Finish.LENGTH and pieces:
        pieces[-1] = _without_unfinished_line(pieces[-1])
    return tuple(map(Step, pieces))


def ends_in_box(text: str) -> bool:
    r"""Return whether nothing but punctuation and the end of a formula follows the last ``\boxed{}``."""
    rest = text_after_box(text)
    return rest is not None and re.search(r"\w", CLOSING_COMMAND.sub("", rest)) is None


def _ended(pieces: list[str], answer: str | None) -> tuple[Step, ...]:
    last = pieces[-1] if pieces and pieces[-1].strip() else ""
    status = StepStatus.NO_ANSWER if answer is None else StepStatus.FINAL
    return (*map(Step, pieces[:-1]), Step(last, status=status, answer=answer))


def _with_separator(pieces: list[str], separator: str) -> tuple[Step, ...]:
    """Return open steps, of which the last ends as if the model had gone on after it."""
    last = (pieces[-1].rstrip("\n") + separator,) if pieces else ()
    return tuple(map(Step, (*pieces[:-1], *last)))


def _without_unfinished_line(piece: str) -> str:
    finished = piece[: piece.rfind("\n") + 1]
    return finished if finished.strip() else piece


def _without_next_number(text: str, stops: tuple[str, ...]) -> str:
    """Leave out the number of the next step, at which a step was stopped; its line break stays."""
    longest = max((len(stop) for stop in stops if text.endswith(stop)), default=0)
    return text[: len(text) - longest + 1] if longest else text


def _numbers_in_order(text: str, last: int) -> list[int]:
    """Return where the numbers last + 1, last + 2 … of a list stand in a text, but for one at its very beginning."""
    places: list[int] = []
    for match in LIST_NUMBER.finditer(text):
        if int(match[1]) == last + 1:
            last += 1
            places.append(match.start())
    return [place for place in places if place > 0]


def _last_number(turn: str) -> int:
    """Return the highest number of the list in a text, 0 without one."""
    last = 0
    for match in LIST_NUMBER.finditer(turn):
        last += int(match[1]) == last + 1
    return last
