"""The built-in problems: exact answers, solutions that run, splits that share nothing."""

from __future__ import annotations

import contextlib
import io

import pytest

from search.curriculum import Split, composition_of, first_wrong, problems, worked


def run(code: str) -> tuple[str, dict[str, object]]:
    printed, variables = io.StringIO(), {}
    with contextlib.redirect_stdout(printed):
        exec(code, variables)  # our own worked solutions
    return printed.getvalue().strip(), variables


@pytest.mark.parametrize("split", list(Split))
def test_worked_solutions_give_the_answer_and_every_step_is_right(split: Split) -> None:
    for problem in problems(split, 40, 3, (1, 8) if split is Split.WORKED else (2, 8)):
        solution = worked(problem)
        printed, variables = run("\n".join(step.code for step in solution.steps))
        assert printed == problem.answer == solution.steps[-1].answer
        assert first_wrong(composition_of(problem.id), variables) is None
        assert len(solution.steps) == (problem.level or 0) + 2


def test_a_wrong_step_is_found() -> None:
    (problem,) = problems("train", 1, 0, (3, 3))
    made = composition_of(problem.id)
    variables: dict[str, object] = {fact.name: fact.value for fact in made.facts}
    variables[made.facts[1].name] = made.facts[1].value + 1
    assert first_wrong(made, variables) == made.facts[1].name


def test_splits_share_no_chain_of_templates_and_no_chain_of_numbers() -> None:
    templates, numbers = {}, {}
    for split in Split:
        made = [composition_of(problem.id) for problem in problems(split, 200, 1, (3, 5))]
        templates[split] = {tuple(fact.template for fact in one.facts) for one in made}
        numbers[split] = {one.numbers for one in made}
    for one in Split:
        for other in Split:
            if one is not other:
                assert not templates[one] & templates[other]
                assert not numbers[one] & numbers[other]


def test_the_same_seed_gives_the_same_problems() -> None:
    assert problems("train", 20, 4, (2, 6)) == problems("train", 20, 4, (2, 6))
    assert not {p.id for p in problems("train", 20, 4, (2, 6))} & {p.id for p in problems("train", 20, 5, (2, 6))}
