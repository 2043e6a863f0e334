"""The built-in problems: exact answers, solutions that run, splits that share nothing."""

from __future__ import annotations

import contextlib
import io
from importlib import import_module

import pytest

from search.errors import UserError
from search.problems.curriculum import Split, composition_of, first_wrong, problems, worked
from search.problems.curriculum.templates import TEMPLATES


def run(steps: list[str]) -> tuple[str, list[object]]:
    """What our own worked solution prints, and the total after each of its steps."""
    printed, variables, totals = io.StringIO(), {}, []
    with contextlib.redirect_stdout(printed):
        for code in steps:
            exec(code, variables)
            totals.append(variables.get("total"))
    return printed.getvalue().strip(), totals


@pytest.mark.parametrize("split", list(Split))
def test_worked_solutions_give_the_answer_and_every_step_is_right(split: Split) -> None:
    for problem in problems(split, 40, 3, (1, 8) if split is Split.WORKED else (2, 8)):
        solution = worked(problem)
        printed, totals = run([step.code for step in solution.steps if step.code])
        assert printed == problem.answer == solution.steps[-1].answer
        assert first_wrong(composition_of(problem.id), totals) is None
        idle = sum(map(len, composition_of(problem.id).asides))
        assert len(solution.steps) == (problem.level or 0) + idle + 2


def test_idle_sentences_make_shallow_problems_as_long_as_deep_ones_and_are_said_again() -> None:
    sentences = {level: set[int]() for level in (1, 3, 5)}
    for level, counts in sentences.items():
        for problem in problems("worked", 100, 2, (level, level)):
            made = composition_of(problem.id)
            aside = [sentence for gap in made.asides for sentence in gap]
            counts.add(len(made.facts) + len(aside))
            lines = "\n".join(step.code for step in worked(problem).steps).splitlines()
            said = [line.removeprefix("# ") + "." for line in lines if line.startswith("# ")]
            assert " ".join(said) == problem.question.rsplit(" How many", 1)[0]
    assert sentences == {1: set(range(1, 9)), 3: set(range(3, 9)), 5: {5, 6, 7, 8}}


def test_a_wrong_step_is_found() -> None:
    (problem,) = problems("train", 1, 0, (3, 3))
    made = composition_of(problem.id)
    totals = [fact.value for fact in made.facts]
    assert first_wrong(made, totals) is None
    assert first_wrong(made, [totals[0], totals[1] + 1, totals[2]]) == 1
    assert first_wrong(made, totals[:2]) == 2
    assert first_wrong(made, [None, *totals, totals[-1]]) is None
    assert first_wrong(made, [*totals, totals[-1] + 1]) == 3


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


def test_more_problems_than_there_are_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(import_module("search.problems.curriculum.compose"), "SENTENCES", 1)
    monkeypatch.setattr(import_module("search.problems.curriculum"), "TRIES_PER_PROBLEM", 2)
    with pytest.raises(UserError, match="fewer than 2000 different heldout problems of 1 to 1 steps"):
        problems("heldout", 2000, 0, (1, 1))
    with pytest.raises(UserError, match="no train problems of 1 steps"):
        problems("train", 1, 0, (1, 1))


def test_the_same_seed_gives_the_same_problems() -> None:
    assert problems("train", 20, 4, (2, 6)) == problems("train", 20, 4, (2, 6))
    assert not {p.id for p in problems("train", 20, 4, (2, 6))} & {p.id for p in problems("train", 20, 5, (2, 6))}


def test_worked_solutions_seldom_have_the_rare_sentences_that_problems_have() -> None:
    rare = {template.key for template in TEMPLATES if template.rare}
    shares = {}
    for split in ("worked", "train", "heldout"):
        said = [
            fact.template for problem in problems(split, 100, 0, (4, 4)) for fact in composition_of(problem.id).facts
        ]
        shares[split] = sum(key in rare for key in said) / len(said)
    assert 0 < shares["worked"] < 0.06
    assert shares["train"] > 0.15 and shares["heldout"] > 0.1


def test_a_problem_ends_by_dividing_evenly_so_that_most_mistakes_show_in_the_answer() -> None:
    """A mistake: one sentence between the first and the last is passed over."""
    closing = {template.key for template in TEMPLATES if template.closes}
    broken = total = 0
    for problem in problems("train", 60, 0, (5, 6)):
        facts = composition_of(problem.id).facts
        assert [fact.template in closing for fact in facts] == [False] * (len(facts) - 1) + [True]
        for passed_over in range(1, len(facts) - 1):
            _, totals = run([f"total = {fact.code}" for i, fact in enumerate(facts) if i != passed_over])
            broken += float(str(totals[-1])) % 1 != 0
            total += 1
    assert broken / total > 0.5
