"""What people said about steps, as step labels and outcomes: the rules of PRM800K. Pure functions over rows.

Rows of quality control, of screening and those given up are left out. Every rated candidate of a step is one example
with the steps before it; a candidate without a rating is none. Supervision ends at the first wrong step (Let's Verify
Step by Step, section 2.6): a solution goes on from the chosen candidate, or from the step that a person wrote, and ends
where none was chosen or the chosen one is wrong.

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
BETWEEN = "\n\n"

StepOf = Callable[[tuple[str, ...]], Step]  # a step, from the texts of the steps before it and its own


@dataclass(frozen=True, slots=True)
class RowLabels:
    """What a row teaches.

    ``records``: first the solution, then every other rated candidate, each with None for the steps before it.
    ``steps`` is the solution as far as people went; ``whole`` where that is to its end. ``null_ratings`` candidates
    without a rating; ``unreachable`` steps after the end of the solution.
    """

    records: tuple[StepLabels, ...]
    steps: tuple[Step, ...]
    whole: bool
    null_ratings: int
    unreachable: int


def why_left_out(row: Prm800kRow) -> str | None:
    """The reason to leave a row out, by its name in the schema; None for a row to learn from."""
    if row.is_quality_control_question:
        return "quality_control"
    if row.is_initial_screening_question:
        return "screening"
    reason = row.label.finish_reason
    return reason if reason in ("bad_problem", "give_up") else None


def problem_of(row: Prm800kRow) -> Problem:
    """The row's problem; its answer is empty where the row has none."""
    question, answer = row.question.problem, row.question.ground_truth_answer or ""
    return Problem(content_id(SOURCE, question, answer), question, answer, SOURCE)


def step_in_words(texts: tuple[str, ...]) -> Step:
    """The last of ``texts`` as a step: final where it ends in "# Answer" and an answer, as PRM800K's solutions do."""
    text = texts[-1]
    found = ANSWER.search(text)
    if found is not None:
        return Step(text, status=StepStatus.FINAL, answer=found["answer"])
    return Step(text if text.endswith(BETWEEN) else text + BETWEEN)


def labels_of(row: Prm800kRow, problem: Problem, step_of: StepOf = step_in_words) -> RowLabels:
    """The examples of a row. Two steps, the first with a candidate rated 1 that was chosen, the second with one of the
    solution's own, rated -1, and one rated 0, of which none was chosen: the solution with (1, -1), then the other with
    (None, 0)."""
    way = _way(row)
    texts = tuple(candidate.text for candidate in way.taken)
    steps = tuple(step_of(texts[:end]) for end in range(1, len(texts) + 1))
    labels = tuple(candidate.rating for candidate in way.taken)
    given = row.question.pre_generated_steps or ()
    rest = range(len(texts) + 1, len(given) + 1) if given[: len(texts)] == texts else ()
    records = []
    if any(label is not None for label in labels):
        records.append(StepLabels(problem, steps + tuple(step_of(given[:end]) for end in rest), labels))
    null_ratings = 0
    for number, labelled in enumerate(row.label.steps[: way.reached]):
        for candidate in labelled.candidates:
            null_ratings += candidate.rating is None
            taken = any(candidate is one for one in way.taken[number : number + 1])
            if candidate.rating is not None and not taken:
                step = step_of((*texts[:number], candidate.text))
                records.append(StepLabels(problem, (*steps[:number], step), (*[None] * number, candidate.rating)))
    return RowLabels(tuple(records), steps, way.whole, null_ratings, len(row.label.steps) - way.reached)


@dataclass(frozen=True, slots=True)
class _Way:
    """The solution through a row: what was taken at each step, how many steps it reached, and whether that is its end."""

    taken: tuple[Completion | HumanCompletion, ...]
    reached: int
    whole: bool


def _way(row: Prm800kRow) -> _Way:
    taken: list[Completion | HumanCompletion] = []
    for number, labelled in enumerate(row.label.steps):
        chosen = labelled.chosen_completion
        candidate = labelled.human_completion if chosen is None else labelled.candidates[chosen]
        ends = candidate is None or candidate.rating == -1
        candidate = candidate or _own(row, number)
        if candidate is not None:
            taken.append(candidate)
        if ends:
            return _Way(tuple(taken), number + 1, False)
    return _Way(tuple(taken), len(taken), True)


def _own(row: Prm800kRow, number: int) -> Completion | None:
    """Where nobody chose or wrote a step: the candidate that the labelled solution has there, else the first, if it was
    rated. The solution ends with it."""
    candidates, given = row.label.steps[number].candidates, row.question.pre_generated_steps or ()
    same = [candidate for candidate in candidates if candidate.text in given[number : number + 1]]
    rated = [candidate for candidate in (*same, *candidates)[:1] if candidate.rating is not None]
    return rated[0] if rated else None


def outcome_of(
    row: Prm800kRow, problem: Problem, labels: RowLabels, grader: Grader, step_of: StepOf = step_in_words
) -> Trajectory | None:
    """A whole solution and whether it is right, None where that is not known.

    The labelled solution of the second phase is graded; without an answer it is wrong. One that was made while it was
    labelled is right where it ended as a solution.
    """
    question = row.question
    given = question.pre_generated_steps
    if given:
        if not problem.answer:
            return None
        right = grader.grade(problem, question.pre_generated_answer or None)
        steps = tuple(step_of(given[: n + 1]) for n in range(len(given)))
        return Trajectory(problem, steps, right, 1.0 if right else -1.0)
    if row.label.finish_reason == "solution" and labels.whole and labels.steps:
        return Trajectory(problem, labels.steps, True, 1.0)
    return None
