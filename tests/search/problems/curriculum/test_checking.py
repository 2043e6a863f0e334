"""The exact check of solutions: the first incorrect step by hand, and that worked solutions are correct."""

from __future__ import annotations

from dataclasses import replace

import pytest

from search.data import Outcome, Problem, State, Step, StepStatus
from search.problems.curriculum import (
    Composition,
    check_steps,
    composition_of,
    first_incorrect_step,
    make_problems,
    worked_trajectory,
)
from search.problems.curriculum.compose import Fact
from search.problems.curriculum.solutions import changed_steps
from tests.fakes.executor import ScriptedExecutor, interpret

# total: 100, then + 20, then * 2
COMPOSITION = Composition(
    tuple(Fact(sentence="", code="", value=value, template="", numbers=()) for value in (100, 120, 240)),
    "coins",
    distractors=((), ("It rains.",), (), ()),
)
PROBLEM = Problem(id="p", question="?", answer="240", source="curriculum/train", level=3)


def does(code: str) -> Step:
    return Step(f"\n{code}<end_of_step>", code=code, outcome=Outcome.OK)


def prints(output: str) -> Step:
    return Step("\nprint(total)<end_of_code>", code="print(total)", output=output, outcome=Outcome.OK)


def answers(answer: str) -> Step:
    return Step(f"\n<answer>\\boxed{{{answer}}}<end_of_answer>", status=StepStatus.FINAL, answer=answer)


FIRST, DISTRACTOR, SECOND, THIRD = (
    does("total = 100"),
    does("# It rains"),
    does("total = total + 20"),
    does("total = total * 2"),
)
END = (prints("240"), answers("240"))


def test_changed_steps_by_hand() -> None:
    assert changed_steps([None, 100, 100, 120, None, 120, 120]) == [1, 3, 5]
    assert changed_steps([]) == []


@pytest.mark.parametrize(
    ("steps", "first_error"),
    [
        ((FIRST, DISTRACTOR, SECOND, THIRD, *END), None),
        ((FIRST, SECOND, THIRD, prints("240.0"), answers("$240")), None),
        ((), None),
        ((DISTRACTOR, FIRST), None),  # correct so far
        ((FIRST, DISTRACTOR, does("total = total + 2"), THIRD, prints("204"), answers("204")), 2),  # miscomputed
        ((FIRST, DISTRACTOR, THIRD, prints("200"), answers("200")), 2),  # a fact left out, the next one computed
        ((FIRST, SECOND, DISTRACTOR, prints("120"), answers("120")), 3),  # ends before the last fact
        ((FIRST, SECOND, answers("240")), 2),  # answers before the last fact, though with the correct number
        ((prints(""), answers("7")), 0),  # ends before it begins
        ((FIRST, SECOND, THIRD, does("total = total + 1"), prints("241"), answers("241")), 3),  # a step too many
        ((FIRST, SECOND, THIRD, prints("12"), answers("240")), 3),  # prints something else
        ((FIRST, SECOND, THIRD, prints("240"), answers("24")), 4),  # states something else
        ((FIRST, replace(does("1 / 0"), status=StepStatus.CODE_ERROR, outcome=Outcome.EXCEPTION)), 1),  # fails
        ((FIRST, SECOND, THIRD, replace(DISTRACTOR, status=StepStatus.TOO_DEEP)), 3),  # never ends
    ],
)
async def test_first_incorrect_step_by_hand(steps: tuple[Step, ...], first_error: int | None) -> None:
    assert await check_steps(COMPOSITION, State(PROBLEM, steps), ScriptedExecutor(interpret)) == first_error


def test_totals_are_incorrect_when_not_whole_numbers() -> None:
    assert first_incorrect_step(COMPOSITION, (FIRST, SECOND, THIRD), [100, 120.0, 240]) is None
    assert first_incorrect_step(COMPOSITION, (FIRST, SECOND, THIRD), [100, 120.5, 240]) == 1
    assert first_incorrect_step(COMPOSITION, (FIRST, SECOND, THIRD), ["many", 120, 240]) == 0


async def test_worked_solution_is_incorrect_only_at_a_changed_step() -> None:
    interpreter, steps_checked = ScriptedExecutor(interpret), 0
    for problem in make_problems("worked", 5, 5, (2, 4)):
        composition, solution = composition_of(problem.id), worked_trajectory(problem).steps
        assert await check_steps(composition, State(problem, solution), interpreter) is None
        steps_checked += len(solution)
        for index, step in enumerate(solution):
            if "total =" in step.code:
                broken = does(f"{step.code} + 1")
                changed = (*solution[:index], broken, *solution[index + 1 :])
                assert await check_steps(composition, State(problem, changed), interpreter) == index
                steps_checked += len(solution)
    assert interpreter.runs == steps_checked  # the total is read once after each step
