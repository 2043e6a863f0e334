"""A labelling file while a person works on it: PRM800K's rows as sheets and back, one person at a time.

Every change is on the disk before ``put`` returns. Knows the schema (train/labels/prm800k.py) and files; no keys.
"""

from __future__ import annotations

import fcntl
import os
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO

from cluster.annotation.session import Sheet, finish_of
from search import serialization
from search.errors import UserError
from search.storage.files import write_atomic
from train.labels.prm800k import Completion, Label, LabelledStep, Prm800kRow, Rating, read_rows


@dataclass(slots=True)
class LabelFile:
    """The rows of a file and the same as sheets."""

    path: Path
    rows: list[Prm800kRow]
    sheets: list[Sheet]

    def put(self, index: int, sheet: Sheet, labeler: str, now: str) -> None:
        """Change one solution and write the file. ``labeler`` and ``now`` are kept where the solution is done."""
        row = replace(self.rows[index], label=label_of(sheet))
        done = sheet.finish is not None
        self.rows[index] = replace(row, labeler=labeler if done else None, timestamp=now if done else None)
        self.sheets[index] = sheet
        write_atomic(self.path, "".join(f"{serialization.dump(row)}\n" for row in self.rows))


@contextmanager
def opened(path: Path) -> Iterator[LabelFile]:
    """The file, for one person at a time. UserError where it is in use, or holds something else than such rows."""
    whole = path.resolve()  # a link stays a link
    read(whole)  # a bad file is refused before anything is written
    with _locked(whole.with_name(f".{whole.name}.lock"), path):
        yield read(whole)


def read(path: Path) -> LabelFile:
    """Rows and sheets. UserError names the place and the fault of a bad line."""
    placed = list(read_rows([path], Counter()))
    return LabelFile(path, [row for _, row in placed], [sheet_of(where, row) for where, row in placed])


def sheet_of(where: str, row: Prm800kRow) -> Sheet:
    """A row as a sheet. UserError where it holds no solution, or ratings of other steps than the solution's first."""
    steps = row.question.pre_generated_steps
    if not steps:
        raise UserError(f"{where}: question.pre_generated_steps is missing: there is no solution to label")
    ratings: list[Rating] = []
    for number, labelled in enumerate(row.label.steps):
        own = next((one for one in labelled.candidates if steps[number : number + 1] == (one.text,)), None)
        if own is None:
            raise UserError(f"{where}: label.steps.{number} is not step {number} of question.pre_generated_steps")
        if own.rating is None:
            break
        ratings.append(own.rating)
    finish = row.label.finish_reason or finish_of(steps, ratings)
    return Sheet(steps, tuple(ratings), finish, round(row.label.total_time or 0))


def label_of(sheet: Sheet) -> Label:
    """A sheet as the schema has it: steps after the first bad one are left out, and nothing is chosen there."""
    rated = len(sheet.ratings)
    shown = sheet.steps[:rated] if sheet.finish == "found_error" else sheet.steps
    ratings = (*sheet.ratings, *[None] * (len(shown) - rated))
    steps = tuple(
        LabelledStep((Completion(text, rating),), chosen_completion=None if rating == -1 else 0)
        for text, rating in zip(shown, ratings, strict=True)
    )
    return Label(steps, sheet.milliseconds, sheet.finish)


@contextmanager
def _locked(lock: Path, path: Path) -> Iterator[IO[str]]:
    with lock.open("a+", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            file.seek(0)
            raise UserError(
                f"{path} is being labelled by process {file.read().strip() or '?'}: end it first"
            ) from error
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield file


def solutions_file(labelling: Path) -> Path:
    """Beside the file: ``labelling.solutions.jsonl``."""
    return labelling.with_name(f"{labelling.stem}.solutions.jsonl")
