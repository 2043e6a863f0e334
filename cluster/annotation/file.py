"""Read and update a labelling file in PRM800K's schema, one person at a time.

Every change is on the disk before ``update`` returns.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from cluster.annotation.session import RatedSolution, finish_reason_of
from search import serialization
from search.errors import UserError
from search.storage.files import write_text
from search.storage.lock import ProcessLock
from train.labels.prm800k import Completion, Label, LabelledStep, Prm800kRow, Rating, read_rows


@dataclass(slots=True)
class LabelFile:
    """The rows of a file, and the same as rated solutions."""

    path: Path
    rows: list[Prm800kRow]
    solutions: list[RatedSolution]

    def update(self, index: int, solution: RatedSolution, labeler: str, now: str) -> None:
        """Change one solution and write the file. ``labeler`` and ``now`` are stored where the solution is finished."""
        row = replace(self.rows[index], label=label_of_solution(solution))
        finished = solution.finish_reason is not None
        self.rows[index] = replace(row, labeler=labeler if finished else None, timestamp=now if finished else None)
        self.solutions[index] = solution
        write_text(self.path, "".join(f"{serialization.dump(row)}\n" for row in self.rows))


@contextmanager
def open_exclusive(path: Path) -> Iterator[LabelFile]:
    """Open a labelling file for the length of the block. UserError if it is in use or has a bad line."""
    target = path.resolve()  # a link stays a link
    read_label_file(target)  # a bad file is refused before anything is written
    with ProcessLock(target.with_name(f".{target.name}.lock"), f"{path} is being labelled"):
        yield read_label_file(target)


def read_label_file(path: Path) -> LabelFile:
    """Return the rows and solutions of a file. UserError names the place and the fault of a bad line."""
    rows = list(read_rows([path], Counter()))
    return LabelFile(path, [row for _, row in rows], [solution_of_row(place, row) for place, row in rows])


def solution_of_row(place: str, row: Prm800kRow) -> RatedSolution:
    """Return a row as a rated solution. UserError if it has no solution, or ratings of other steps than its first."""
    steps = row.question.pre_generated_steps
    if not steps:
        raise UserError(f"{place}: question.pre_generated_steps is missing: there is no solution to label")
    ratings: list[Rating] = []
    for number, labelled in enumerate(row.label.steps):
        completion = next((c for c in labelled.candidates if steps[number : number + 1] == (c.text,)), None)
        if completion is None:
            raise UserError(f"{place}: label.steps.{number} is not step {number} of question.pre_generated_steps")
        if completion.rating is None:
            break
        ratings.append(completion.rating)
    finish_reason = row.label.finish_reason or finish_reason_of(steps, ratings)
    return RatedSolution(
        steps=steps,
        ratings=tuple(ratings),
        finish_reason=finish_reason,
        milliseconds=round(row.label.total_time or 0),
    )


def label_of_solution(solution: RatedSolution) -> Label:
    """Return a rated solution in the schema: steps after the first bad one are left out, and nothing is chosen there."""
    rated = len(solution.ratings)
    steps_shown = solution.steps[:rated] if solution.finish_reason == "found_error" else solution.steps
    ratings = (*solution.ratings, *[None] * (len(steps_shown) - rated))
    steps = tuple(
        LabelledStep((Completion(text, rating),), chosen_completion=None if rating == -1 else 0)
        for text, rating in zip(steps_shown, ratings, strict=True)
    )
    return Label(steps, solution.milliseconds, solution.finish_reason)


def solutions_file(labelling: Path) -> Path:
    """Return the file beside a labelling file that holds its solutions: ``NAME.solutions.jsonl``."""
    return labelling.with_name(f"{labelling.stem}.solutions.jsonl")
