"""Write solutions for people to label, in PRM800K's schema, and read their labels back.

A solution is recognised by its question and its steps, which stand in the row as ``pre_generated_steps``; whoever labels
must leave these as they are. A file that is half done can be read: a step without a rating is no example.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from search.data import Step, StepLabels, Trajectory
from train.data.records import write_records
from train.labels.human_labels import StepParser, labels_of, parse_step, why_left_out
from train.labels.prm800k import (
    Completion,
    Label,
    LabelledStep,
    Prm800kRow,
    Question,
    handle_bad_line,
    read_rows,
)

UNKNOWN = "question: no solution that was given out has this question.problem and these question.pre_generated_steps"


def row_to_label(solution: Trajectory, score: float | None = None, generation: int | None = None) -> Prm800kRow:
    """Return a solution as a row without ratings, each step its own only candidate and chosen.

    ``score`` is the reward model's of the solution, ``generation`` the round of labelling it is for. ``finish_reason`` is
    null until somebody has labelled it.
    """
    texts = tuple(step.text for step in solution.steps)
    question = Question(
        problem=solution.problem.question,
        ground_truth_answer=solution.problem.answer or None,
        pre_generated_steps=texts,
        pre_generated_answer=solution.steps[-1].answer if solution.steps else None,
        pre_generated_verifier_score=score,
    )
    return Prm800kRow(
        labeler=None,
        timestamp=None,
        generation=generation,
        is_quality_control_question=False,
        is_initial_screening_question=False,
        question=question,
        label=Label(tuple(LabelledStep((Completion(text, None),), chosen_completion=0) for text in texts)),
    )


def write_annotation_file(
    solutions: Sequence[Trajectory], path: Path, scores: Sequence[float] | None = None, generation: int | None = None
) -> int:
    """Write solutions to label, in their order, complete or absent, and return their number.

    ``scores`` has one score for each. Raises ValueError if it has not.
    """
    row_scores: Sequence[float | None] = scores if scores is not None else [None] * len(solutions)
    return write_records(
        (row_to_label(solution, score, generation) for solution, score in zip(solutions, row_scores, strict=True)), path
    )


def read_annotations(
    files: Sequence[Path], solutions: Iterable[Trajectory], tally: Counter[str], skip_bad_lines: bool = False
) -> Iterator[StepLabels]:
    """Yield the labels of ``solutions``, with our own problems and steps.

    The rules are those of ``train.labels.human_labels``. Candidates that a person added have only their words. ``tally``
    counts rows, labelled ones and those left out by reason. A bad line, or a row of a solution that is not among
    ``solutions``, raises UserError with its place, or is counted if ``skip_bad_lines``.
    """
    known = {(s.problem.question, tuple(step.text for step in s.steps)): s for s in solutions}
    for place, row in read_rows(files, tally, skip_bad_lines):
        solution = known.get((row.question.problem, row.question.pre_generated_steps or ()))
        if solution is None:
            handle_bad_line(place, UNKNOWN, skip_bad_lines, tally)
            continue
        reason = why_left_out(row)
        records = () if reason else labels_of(row, solution.problem, _parser_with(solution)).records
        tally[reason or ("labelled" if records else "unlabelled")] += 1
        yield from records


def _parser_with(solution: Trajectory) -> StepParser:
    """Return a parser that gives the solution's own steps for their texts, and parses all other texts as words."""
    own_steps: dict[tuple[str, ...], Step] = {}
    for end in range(1, len(solution.steps) + 1):
        own_steps[tuple(step.text for step in solution.steps[:end])] = solution.steps[end - 1]
    return lambda texts: own_steps.get(texts) or parse_step(texts)
