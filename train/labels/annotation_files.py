"""Solutions to be labelled by people, as a file in PRM800K's schema, and the labels that come back.

A solution is known again by its question and its steps, which stand in the row as ``pre_generated_steps``; whoever labels
must leave these as they are. A file that is half done can be read: what has no rating is no example.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from search.data import Step, StepLabels, Trajectory
from train.labels.human_labels import StepOf, labels_of, step_in_words, why_left_out
from train.labels.prm800k import Completion, Label, LabelledStep, Prm800kRow, Question, bad_line, read_rows, write_rows

UNKNOWN = "question: no solution that was given out has this question.problem and these question.pre_generated_steps"


def row_to_label(solution: Trajectory, score: float | None = None, generation: int | None = None) -> Prm800kRow:
    """A solution as a row without ratings, each step its own only candidate and chosen.

    ``score`` is the judge's of the solution, ``generation`` the round of labelling it is for. ``finish_reason`` is null
    until somebody has labelled it.
    """
    texts = tuple(step.text for step in solution.steps)
    steps = tuple(LabelledStep((Completion(text, None),), chosen_completion=0) for text in texts)
    question = Question(
        solution.problem.question,
        solution.problem.answer or None,
        pre_generated_steps=texts,
        pre_generated_answer=solution.steps[-1].answer if solution.steps else None,
        pre_generated_verifier_score=score,
    )
    return Prm800kRow(None, None, generation, False, False, question, Label(steps))


def write_labelling(
    solutions: Sequence[Trajectory], path: Path, scores: Sequence[float] | None = None, generation: int | None = None
) -> int:
    """Write solutions to label, in their order, complete or absent; how many. ``scores`` has one for each."""
    given: Sequence[float | None] = scores if scores is not None else [None] * len(solutions)
    rows = (row_to_label(solution, score, generation) for solution, score in zip(solutions, given, strict=True))
    return write_rows(rows, path)


def read_labelling(
    files: Sequence[Path], solutions: Iterable[Trajectory], tally: Counter[str], skip_bad_lines: bool = False
) -> Iterator[StepLabels]:
    """The labels of solutions that were given out, with the problems and steps that we have of them.

    The rules are those of train.labels.human_labels. Candidates that a person added have only their words. ``tally`` counts
    rows, labelled ones and those left out by reason. A bad line, or a row of a solution that is not among ``solutions``,
    is a UserError that names it, or is counted.
    """
    known = {(s.problem.question, tuple(step.text for step in s.steps)): s for s in solutions}
    for place, row in read_rows(files, tally, skip_bad_lines):
        solution = known.get((row.question.problem, row.question.pre_generated_steps or ()))
        if solution is None:
            bad_line(place, UNKNOWN, skip_bad_lines, tally)
            continue
        reason = why_left_out(row)
        found = () if reason else labels_of(row, solution.problem, _steps_of(solution)).records
        tally[reason or ("labelled" if found else "unlabelled")] += 1
        yield from found


def _steps_of(solution: Trajectory) -> StepOf:
    own: dict[tuple[str, ...], Step] = {}
    for end in range(1, len(solution.steps) + 1):
        own[tuple(step.text for step in solution.steps[:end])] = solution.steps[end - 1]
    return lambda texts: own.get(texts) or step_in_words(texts)
