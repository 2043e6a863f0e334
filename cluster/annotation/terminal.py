"""Let a person rate solutions at a terminal, one key a step.

A decision is on the disk before the next key is read.
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
from cluster.annotation.session import Key, RatedSolution, apply_key, current_index
from search.errors import UserError
from train.labels.prm800k import Question

KEY_HELP = "g good   n neutral   b bad, ends the solution   u undo   s skip   q quit"
INDENT = "\n" + " " * 6
RATING_STYLES = {1: ("+", "green"), 0: ("·", "yellow"), -1: ("-", "red")}
MAX_STEP_MS = 600_000  # a longer pause does not count as work on the step
ESCAPE = "\x1b"
CLOSED = ""  # read at the end of the terminal

ReadKey = Callable[[], str]


def label(file: LabelFile, read_key: ReadKey, console: Console, labeler: str) -> None:
    """Read keys until the person quits. Keys without a meaning are ignored."""
    while True:
        show(file, console)
        start = monotonic()
        key = _next_key(read_key)
        if key is Key.QUIT:
            break
        milliseconds = min(MAX_STEP_MS, round(1000 * (monotonic() - start)))
        change = apply_key(file.solutions, key, milliseconds)
        if change is not None:
            file.update(*change, labeler, datetime.now(UTC).replace(tzinfo=None).isoformat(timespec="milliseconds"))
    console.print(summary(file.solutions), markup=False, highlight=False)


def _next_key(read_key: ReadKey) -> Key:
    while True:
        pressed = read_key().lower()
        if pressed == CLOSED:
            return Key.QUIT
        if pressed in tuple(Key):
            return Key(pressed)


def show(file: LabelFile, console: Console) -> None:
    """Show the current solution with its next step marked, or a line where all are finished."""
    console.clear()
    current = current_index(file.solutions)
    if current is None:
        console.print("All solutions are done.   u undo   q quit", markup=False)
        return
    solution, question = file.solutions[current], file.rows[current].question
    number = len(solution.ratings) + 1
    console.print(
        f"solution {current + 1} of {len(file.solutions)}, step {number} of {len(solution.steps)}",
        style="bold",
        highlight=False,
    )
    console.print()
    console.print(question.problem, markup=False, highlight=False)
    console.print(_answers_line(question), markup=False, highlight=False, style="dim")
    console.print()
    for step in _step_lines(solution):
        console.print(step)
    console.print()
    console.print(KEY_HELP, markup=False, highlight=False)


def summary(solutions: Sequence[RatedSolution]) -> str:
    """Return the progress of a file in words."""
    finish_reasons = [solution.finish_reason for solution in solutions]
    rated = sum(len(solution.ratings) for solution in solutions)
    done = sum(reason is not None for reason in finish_reasons)
    return (
        f"{done} of {len(solutions)} solutions done: {finish_reasons.count('found_error')} with a bad step, "
        f"{finish_reasons.count('solution')} without, {finish_reasons.count('give_up')} skipped; {rated} steps rated"
    )


@contextmanager
def key_reader(stream: IO[str]) -> Iterator[ReadKey]:
    """Yield a function that waits for one key, without Enter. The terminal is restored after the block.

    Raises UserError if ``stream`` is no terminal.
    """
    if not stream.isatty():
        raise UserError("labelling needs a terminal: standard input is none; start raystar label in one")
    descriptor = stream.fileno()
    before = termios.tcgetattr(descriptor)
    try:
        tty.setcbreak(descriptor)
        yield lambda: _read_key(descriptor)
    finally:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)


def _read_key(descriptor: int) -> str:
    """Return one key. The sequence that an arrow or another special key sends counts as one key without a meaning."""
    key = os.read(descriptor, 1).decode("ascii", "replace")
    if key == ESCAPE and select.select([descriptor], [], [], 0)[0]:
        os.read(descriptor, 16)
    return key


def _answers_line(question: Question) -> str:
    reference = question.ground_truth_answer
    answer = question.pre_generated_answer
    parts = [f"reference answer: {reference}"] if reference is not None else []
    return "   ".join([*parts, *([f"answer of this solution: {answer}"] if answer is not None else [])])


def _step_lines(solution: RatedSolution) -> Iterator[Text]:
    """Yield the steps up to the current one, which stands last, however long the solution is."""
    for index, step in enumerate(solution.steps[: len(solution.ratings) + 1]):
        mark, style = RATING_STYLES[solution.ratings[index]] if index < len(solution.ratings) else (">", "bold reverse")
        yield Text.assemble((f"{mark} {index + 1:>2} ", style), "  ", step.strip().replace("\n", INDENT))
