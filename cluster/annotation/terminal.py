"""Labelling at a terminal: one solution, step by step, a key a step. Shows sheets and reads keys.

What a key does is session.py's business, and that it is kept file.py's: before the next key is asked for, the last one is
on the disk.
"""

from __future__ import annotations

import os
import select
import termios
import tty
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from time import monotonic
from typing import IO

from rich.console import Console
from rich.text import Text

from cluster.annotation.file import LabelFile
from cluster.annotation.session import Key, Sheet, place, press
from search.errors import UserError
from train.labels.prm800k import Question

KEYS = "g good   n neutral   b bad, ends the solution   u undo   s skip   q quit"
INDENT = "\n" + " " * 6
MARKS = {1: ("+", "green"), 0: ("·", "yellow"), -1: ("-", "red")}
LONGEST_MS = 600_000  # a longer pause is no work on the step
ESCAPE = "\x1b"
CLOSED = ""  # what is read where nobody can press a key any more

ReadKey = Callable[[], str]


def label(file: LabelFile, read_key: ReadKey, console: Console, labeler: str) -> None:
    """Ask for keys until all solutions are done or somebody quits. Keys without a meaning are passed over."""
    while True:
        show(file, console)
        began = monotonic()
        key = _key(read_key)
        if key is Key.QUIT:
            break
        milliseconds = min(LONGEST_MS, round(1000 * (monotonic() - began)))
        change = press(file.sheets, key, milliseconds)
        if change is not None:
            file.put(*change, labeler, datetime.now(UTC).replace(tzinfo=None).isoformat(timespec="milliseconds"))
    console.print(summary(file.sheets), markup=False, highlight=False)


def _key(read_key: ReadKey) -> Key:
    while True:
        pressed = read_key().lower()
        if pressed == CLOSED:
            return Key.QUIT
        if pressed in tuple(Key):
            return Key(pressed)


def show(file: LabelFile, console: Console) -> None:
    """The solution that a person is at, with its next step marked; a line where all are done."""
    console.clear()
    at = place(file.sheets)
    if at is None:
        console.print("All solutions are done.   u undo   q quit", markup=False)
        return
    sheet, question = file.sheets[at], file.rows[at].question
    number = len(sheet.ratings) + 1
    console.print(
        f"solution {at + 1} of {len(file.sheets)}, step {number} of {len(sheet.steps)}", style="bold", highlight=False
    )
    console.print()
    console.print(question.problem, markup=False, highlight=False)
    console.print(_answers(question), markup=False, highlight=False, style="dim")
    console.print()
    for step in _steps(sheet):
        console.print(step)
    console.print()
    console.print(KEYS, markup=False, highlight=False)


def summary(sheets: Sequence[Sheet]) -> str:
    """How far the file is."""
    ends = [sheet.finish for sheet in sheets]
    rated = sum(len(sheet.ratings) for sheet in sheets)
    done = sum(end is not None for end in ends)
    return (
        f"{done} of {len(sheets)} solutions done: {ends.count('found_error')} with a bad step, "
        f"{ends.count('solution')} without, {ends.count('give_up')} skipped; {rated} steps rated"
    )


@contextmanager
def single_keys(stream: IO[str]) -> Iterator[ReadKey]:
    """A function that waits for one key, without Enter. The terminal is as before after the block.

    UserError where ``stream`` is no terminal.
    """
    if not stream.isatty():
        raise UserError("labelling needs a terminal: standard input is none; start raystar label in one")
    descriptor = stream.fileno()
    before = termios.tcgetattr(descriptor)
    try:
        tty.setcbreak(descriptor)
        yield lambda: _pressed(descriptor)
    finally:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)


def _pressed(descriptor: int) -> str:
    """One key. What an arrow or another special key sends is one key without a meaning, not the letters in it."""
    key = os.read(descriptor, 1).decode("ascii", "replace")
    if key == ESCAPE and select.select([descriptor], [], [], 0)[0]:
        os.read(descriptor, 16)
    return key


def _answers(question: Question) -> str:
    reference = question.ground_truth_answer
    own = question.pre_generated_answer
    parts = [f"reference answer: {reference}"] if reference is not None else []
    return "   ".join([*parts, *([f"answer of this solution: {own}"] if own is not None else [])])


def _steps(sheet: Sheet) -> Iterator[Text]:
    """The steps up to the one in question, so that it stands last, however long the solution is."""
    for index, step in enumerate(sheet.steps[: len(sheet.ratings) + 1]):
        mark, style = MARKS[sheet.ratings[index]] if index < len(sheet.ratings) else (">", "bold reverse")
        yield Text.assemble((f"{mark} {index + 1:>2} ", style), "  ", step.strip().replace("\n", INDENT))
