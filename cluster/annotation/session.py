"""What a labelling key does: sheets of steps and ratings, one solution a sheet, and the place where a person is.

Pure. The place follows from the sheets: the first one that is not done, after its last rating. So whoever reads the file
again is where the last one stopped, and can take back what the last one did.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from train.labels.prm800k import FinishReason, Rating


class Key(StrEnum):
    """What a person may do at a step."""

    GOOD = "g"
    NEUTRAL = "n"
    BAD = "b"
    UNDO = "u"
    SKIP = "s"
    QUIT = "q"


RATINGS: dict[Key, Rating] = {Key.GOOD: 1, Key.NEUTRAL: 0, Key.BAD: -1}


@dataclass(frozen=True, slots=True)
class Sheet:
    """A solution and what was said of it so far.

    ``ratings`` of the first steps, in order. ``finish`` is None until the solution is done: "found_error" at the first
    bad step, where labelling ends (Let's Verify Step by Step, section 2.6), "solution" after the last step, "give_up"
    where it was skipped. ``milliseconds`` a person spent on it.
    """

    steps: tuple[str, ...]
    ratings: tuple[Rating, ...] = ()
    finish: FinishReason | None = None
    milliseconds: int = 0


def place(sheets: Sequence[Sheet]) -> int | None:
    """Index of the sheet that a person is at; None where all are done. Its step is the one after the last rating."""
    return next((index for index, sheet in enumerate(sheets) if sheet.finish is None), None)


def press(sheets: Sequence[Sheet], key: Key, milliseconds: int = 0) -> tuple[int, Sheet] | None:
    """The sheet that a key changes, by its index, and how it is then; None where the key changes nothing.

    ``milliseconds`` since the key before. Undo takes back the last rating or skip, on the sheet before where this one
    has none.
    """
    at = place(sheets)
    if key is Key.UNDO:
        last = _last(sheets, at)
        return None if last is None else (last, _undone(sheets[last], milliseconds))
    if at is None or key is Key.QUIT:
        return None
    sheet = replace(sheets[at], milliseconds=sheets[at].milliseconds + milliseconds)
    if key is Key.SKIP:
        return at, replace(sheet, finish="give_up")
    ratings = (*sheet.ratings, RATINGS[key])
    return at, replace(sheet, ratings=ratings, finish=finish_of(sheet.steps, ratings))


def finish_of(steps: Sequence[str], ratings: Sequence[Rating]) -> FinishReason | None:
    """How a solution with these ratings is done; None where there is more to say."""
    if -1 in ratings:
        return "found_error"
    return "solution" if len(ratings) == len(steps) else None


def _last(sheets: Sequence[Sheet], at: int | None) -> int | None:
    """The sheet of the last decision."""
    if at is not None and sheets[at].ratings:
        return at
    before = (len(sheets) if at is None else at) - 1
    return before if before >= 0 else None


def _undone(sheet: Sheet, milliseconds: int) -> Sheet:
    kept = sheet.ratings if sheet.finish == "give_up" else sheet.ratings[:-1]
    return replace(sheet, ratings=kept, finish=None, milliseconds=sheet.milliseconds + milliseconds)
