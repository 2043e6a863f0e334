"""The exact check of solutions: where a step goes wrong, by hand, and that worked solutions are right."""

from __future__ import annotations

from dataclasses import replace

import pytest

from search.data import Outcome, Problem, State, Step, StepStatus
from search.problems.curriculum import Composition, check_steps, composition_of, first_wrong_step, problems, worked
from search.problems.curriculum.compose import Fact
from search.problems.curriculum.solutions import changes
from tests.search.interpreter import Interpreter

# total: 100, then + 20, then * 2
MADE = Composition(
    tuple(Fact("", "", value, "", ()) for value in (100, 120, 240)), "coins", asides=((), ("It rains.",), (), ())
)
PROBLEM = Problem("p", "?", "240", "curriculum/train", 3)


def does(code: str) -> Step:
    return Step(f"\n{code}<end_of_step>", code=code, outcome=Outcome.OK)


def prints(output: str) -> Step:
    return Step("\nprint(total)<end_of_code>", code="print(total)", output=output, outcome=Outcome.OK)


def answers(answer: str) -> Step:
    return Step(f"\n<answer>\\boxed{{{answer}}}<end_of_answer>", status=StepStatus.FINAL, answer=answer)


FIRST, IDLE, SECOND, THIRD = (
    does("total = 100"),
    does("# It rains"),
    does("total = total + 20"),
    does("total = total * 2"),
)
END = (prints("240"), answers("240"))


def test_changes_of_the_total() -> None:
    assert changes([None, 100, 100, 120, None, 120, 120]) == [1, 3, 5]
    assert changes([]) == []


@pytest.mark.parametrize(
    ("steps", "wrong"),
    [
        ((FIRST, IDLE, SECOND, THIRD, *END), None),
        ((FIRST, SECOND, THIRD, prints("240.0"), answers("$240")), None),
        ((), None),
        ((IDLE, FIRST), None),  # nothing wrong so far
        ((FIRST, IDLE, does("total = total + 2"), THIRD, prints("204"), answers("204")), 2),  # computed wrong
        ((FIRST, IDLE, THIRD, prints("200"), answers("200")), 2),  # a fact left out, the next one taken
        ((FIRST, SECOND, IDLE, prints("120"), answers("120")), 3),  # ends before the last fact
        ((FIRST, SECOND, answers("240")), 2),  # answers before the last fact, if with the right number
        ((prints(""), answers("7")), 0),  # ends before it begins
        ((FIRST, SECOND, THIRD, does("total = total + 1"), prints("241"), answers("241")), 3),  # one too many
        ((FIRST, SECOND, THIRD, prints("12"), answers("240")), 3),  # prints something else
        ((FIRST, SECOND, THIRD, prints("240"), answers("24")), 4),  # states something else
        ((FIRST, replace(does("1 / 0"), status=StepStatus.CODE_ERROR, outcome=Outcome.EXCEPTION)), 1),  # fails
        ((FIRST, SECOND, THIRD, replace(IDLE, status=StepStatus.TOO_DEEP)), 3),  # never ends
    ],
)
async def test_the_first_wrong_step_by_hand(steps: tuple[Step, ...], wrong: int | None) -> None:
    assert await check_steps(MADE, State(PROBLEM, steps), Interpreter()) == wrong


def test_totals_that_are_no_whole_numbers_are_wrong() -> None:
    assert first_wrong_step(MADE, (FIRST, SECOND, THIRD), [100, 120.0, 240]) is None
    assert first_wrong_step(MADE, (FIRST, SECOND, THIRD), [100, 120.5, 240]) == 1
    assert first_wrong_step(MADE, (FIRST, SECOND, THIRD), ["many", 120, 240]) == 0


async def test_every_worked_solution_is_right_and_with_one_step_changed_wrong_there() -> None:
    interpreter, steps_checked = Interpreter(), 0
    for problem in problems("worked", 5, 5, (2, 4)):
        made, solution = composition_of(problem.id), worked(problem).steps
        assert await check_steps(made, State(problem, solution), interpreter) is None
        steps_checked += len(solution)
        for index, step in enumerate(solution):
            if "total =" in step.code:
                broken = does(f"{step.code} + 1")
                changed = (*solution[:index], broken, *solution[index + 1 :])
                assert await check_steps(made, State(problem, changed), interpreter) == index
                steps_checked += len(solution)
    assert interpreter.runs == steps_checked  # one look at the total for each step
