"""Convert rows of human labels to step labels and outcomes, by the rules of PRM800K.

Rows of quality control, of screening and those given up are left out. Every rated candidate of a step is one example
with the steps before it; a candidate without a rating is none. Supervision ends at the first incorrect step (Let's Verify
Step by Step, section 2.6): a solution continues from the chosen candidate, or from the step that a person wrote, and ends
where none was chosen or the chosen one is incorrect.

Steps become text as the format "plain" has them, a blank line after each that is not the last.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from search.data import Problem, Step, StepLabels, StepStatus, Trajectory
from search.problems.rows import content_id
from search.protocols import Grader
from train.labels.prm800k import Completion, HumanCompletion, Prm800kRow

SOURCE = "prm800k"
ANSWER = re.compile(r"# Answer\s+(?P<answer>\S.*?)\s*\Z", re.DOTALL)
STEP_SEPARATOR = "\n\n"

StepParser = Callable[[tuple[str, ...]], Step]  # makes a step from the texts of the steps before it and its own


@dataclass(frozen=True, slots=True, kw_only=True)
class RowLabels:
    """The examples of a row.

    Attributes:
        records: first the solution, then every other rated candidate, each with None for the steps before it.
        steps: the solution as far as people labelled it.
        is_whole: they labelled it to its end.
        null_ratings: number of candidates without a rating.
        unreachable: number of steps after the end of the solution.
    """

    records: tuple[StepLabels, ...]
    steps: tuple[Step, ...]
    is_whole: bool
    null_ratings: int
    unreachable: int


def why_left_out(row: Prm800kRow) -> str | None:
    """Return the reason to leave a row out, by its name in the schema; None for a row to learn from."""
    if row.is_quality_control_question:
        return "quality_control"
    if row.is_initial_screening_question:
        return "screening"
    reason = row.label.finish_reason
    return reason if reason in ("bad_problem", "give_up") else None


def problem_of(row: Prm800kRow) -> Problem:
    """Return the row's problem; its answer is empty if the row has none."""
    question, answer = row.question.problem, row.question.ground_truth_answer or ""
    return Problem(id=content_id(SOURCE, question, answer), question=question, answer=answer, source=SOURCE)


def parse_step(texts: tuple[str, ...]) -> Step:
    """Return the last of ``texts`` as a step: final if it ends in "# Answer" and an answer, as PRM800K's solutions do."""
    text = texts[-1]
    match = ANSWER.search(text)
    if match is not None:
        return Step(text, status=StepStatus.FINAL, answer=match["answer"])
    return Step(text if text.endswith(STEP_SEPARATOR) else text + STEP_SEPARATOR)


def labels_of(row: Prm800kRow, problem: Problem, parse: StepParser = parse_step) -> RowLabels:
    """Return the examples of a row.

    Two steps, the first with a candidate rated 1 that was chosen, the second with one of the solution's own, rated -1, and
    one rated 0, of which none was chosen: the solution with (1, -1), then the other with (None, 0).
    """
    path = _solution_path(row)
    texts = tuple(candidate.text for candidate in path.candidates)
    steps = tuple(parse(texts[:end]) for end in range(1, len(texts) + 1))
    labels = tuple(candidate.rating for candidate in path.candidates)
    generated = row.question.pre_generated_steps or ()
    rest = range(len(texts) + 1, len(generated) + 1) if generated[: len(texts)] == texts else ()
    records = []
    if any(label is not None for label in labels):
        solution = steps + tuple(parse(generated[:end]) for end in rest)
        records.append(StepLabels(problem, solution, labels=labels))
    null_ratings = 0
    for number, labelled in enumerate(row.label.steps[: path.reached]):
        for candidate in labelled.candidates:
            null_ratings += candidate.rating is None
            on_path = any(candidate is other for other in path.candidates[number : number + 1])
            if candidate.rating is not None and not on_path:
                step = parse((*texts[:number], candidate.text))
                alternative = (*[None] * number, candidate.rating)
                records.append(StepLabels(problem, (*steps[:number], step), labels=alternative))
    return RowLabels(
        records=tuple(records),
        steps=steps,
        is_whole=path.is_whole,
        null_ratings=null_ratings,
        unreachable=len(row.label.steps) - path.reached,
    )


@dataclass(frozen=True, slots=True)
class _SolutionPath:
    """The solution through a row: its candidate at each step, how many steps it reached, and whether that is its end."""

    candidates: tuple[Completion | HumanCompletion, ...]
    reached: int
    is_whole: bool


def _solution_path(row: Prm800kRow) -> _SolutionPath:
    candidates: list[Completion | HumanCompletion] = []
    for number, labelled in enumerate(row.label.steps):
        chosen = labelled.chosen_completion
        candidate = labelled.human_completion if chosen is None else labelled.candidates[chosen]
        is_end = candidate is None or candidate.rating == -1
        candidate = candidate or _generated_candidate(row, number)
        if candidate is not None:
            candidates.append(candidate)
        if is_end:
            return _SolutionPath(tuple(candidates), number + 1, False)
    return _SolutionPath(tuple(candidates), len(candidates), True)


def _generated_candidate(row: Prm800kRow, number: int) -> Completion | None:
    """Return the candidate that ends the solution at a step for which nobody chose or wrote one.

    It is the labelled solution's own candidate, else the first, if it was rated.
    """
    candidates, generated = row.label.steps[number].candidates, row.question.pre_generated_steps or ()
    same = [candidate for candidate in candidates if candidate.text in generated[number : number + 1]]
    rated = [candidate for candidate in (*same, *candidates)[:1] if candidate.rating is not None]
    return rated[0] if rated else None


def outcome_of(
    row: Prm800kRow, problem: Problem, labels: RowLabels, grader: Grader, parse: StepParser = parse_step
) -> Trajectory | None:
    """Return the whole solution with its outcome, None if that is unknown.

    The labelled solution of the second phase is graded; without an answer it is incorrect. A solution of the first phase,
    made while it was labelled, is correct if it ended as a solution.
    """
    question = row.question
    generated = question.pre_generated_steps
    if generated:
        if not problem.answer:
            return None
        correct = grader.grade(problem, question.pre_generated_answer or None)
        steps = tuple(parse(generated[: n + 1]) for n in range(len(generated)))
        return Trajectory(problem, steps, correct=correct, q=1.0 if correct else -1.0)
    if row.label.finish_reason == "solution" and labels.is_whole and labels.steps:
        return Trajectory(problem, labels.steps, correct=True, q=1.0)
    return None
