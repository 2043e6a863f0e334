"""The built-in problems: exact answers, solutions that run, disjoint splits."""

from __future__ import annotations

import contextlib
import io
from importlib import import_module
from itertools import permutations

import pytest

from search.errors import UserError
from search.problems.curriculum import Split, composition_of, first_incorrect_fact, make_problems, worked_trajectory
from search.problems.curriculum.templates import TEMPLATES


def run(steps: list[str]) -> tuple[str, list[object]]:
    """Return what a worked solution prints, and the total after each of its steps."""
    printed, variables, totals = io.StringIO(), {}, []
    with contextlib.redirect_stdout(printed):
        for code in steps:
            exec(code, variables)
            totals.append(variables.get("total"))
    return printed.getvalue().strip(), totals


@pytest.mark.parametrize("split", list(Split))
def test_worked_solution_is_correct_at_every_step(split: Split) -> None:
    for problem in make_problems(split, 40, 3, (1, 8) if split is Split.WORKED else (2, 8)):
        solution = worked_trajectory(problem)
        printed, totals = run([step.code for step in solution.steps if step.code])
        assert printed == problem.answer == solution.steps[-1].answer
        assert first_incorrect_fact(composition_of(problem.id), totals) is None
        distractors = sum(map(len, composition_of(problem.id).distractors))
        assert len(solution.steps) == (problem.level or 0) + distractors + 2


def test_distractors_make_shallow_problems_long() -> None:
    sentences = {level: set[int]() for level in (1, 3, 5)}
    for level, counts in sentences.items():
        for problem in make_problems("worked", 100, 2, (level, level)):
            composition = composition_of(problem.id)
            distractors = [sentence for gap in composition.distractors for sentence in gap]
            counts.add(len(composition.facts) + len(distractors))
            lines = "\n".join(step.code for step in worked_trajectory(problem).steps).splitlines()
            comments = [line.removeprefix("# ") + "." for line in lines if line.startswith("# ")]
            assert " ".join(comments) == problem.question.rsplit(" How many", 1)[0]
    assert sentences == {1: set(range(1, 9)), 3: set(range(3, 9)), 5: {5, 6, 7, 8}}


def test_first_incorrect_fact_by_hand() -> None:
    (problem,) = make_problems("train", 1, 0, (3, 3))
    composition = composition_of(problem.id)
    totals = [fact.value for fact in composition.facts]
    assert first_incorrect_fact(composition, totals) is None
    assert first_incorrect_fact(composition, [totals[0], totals[1] + 1, totals[2]]) == 1
    assert first_incorrect_fact(composition, totals[:2]) == 2
    assert first_incorrect_fact(composition, [None, *totals, totals[-1]]) is None
    assert first_incorrect_fact(composition, [*totals, totals[-1] + 1]) == 3


def test_splits_share_no_chain_of_templates_or_numbers() -> None:
    templates, numbers = {}, {}
    for split in Split:
        compositions = [composition_of(problem.id) for problem in make_problems(split, 200, 1, (3, 5))]
        templates[split] = {tuple(fact.template for fact in composition.facts) for composition in compositions}
        numbers[split] = {composition.numbers for composition in compositions}
    for first, second in permutations(Split, 2):
        assert not templates[first] & templates[second]
        assert not numbers[first] & numbers[second]


def test_count_is_refused_when_there_are_too_few_problems(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(import_module("search.problems.curriculum.compose"), "MAX_SENTENCES", 1)
    monkeypatch.setattr(import_module("search.problems.curriculum"), "TRIES_PER_PROBLEM", 2)
    with pytest.raises(UserError, match="fewer than 2000 different heldout problems of 1 to 1 steps"):
        make_problems("heldout", 2000, 0, (1, 1))
    with pytest.raises(UserError, match="no train problems of 1 steps"):
        make_problems("train", 1, 0, (1, 1))


def test_same_seed_gives_the_same_problems() -> None:
    assert make_problems("train", 20, 4, (2, 6)) == make_problems("train", 20, 4, (2, 6))
    assert not {p.id for p in make_problems("train", 20, 4, (2, 6))} & {
        p.id for p in make_problems("train", 20, 5, (2, 6))
    }


def test_rare_sentences_are_rare_in_worked_problems_only() -> None:
    rare = {template.key for template in TEMPLATES if template.rare}
    shares = {}
    for split in ("worked", "train", "heldout"):
        keys = [
            fact.template
            for problem in make_problems(split, 100, 0, (4, 4))
            for fact in composition_of(problem.id).facts
        ]
        shares[split] = sum(key in rare for key in keys) / len(keys)
    assert 0 < shares["worked"] < 0.06
    assert shares["train"] > 0.15 and shares["heldout"] > 0.1


def test_most_mistakes_show_in_the_answer() -> None:
    """The mistake is to leave out one sentence between the first and the last."""
    closing = {template.key for template in TEMPLATES if template.closes}
    broken = total = 0
    for problem in make_problems("train", 60, 0, (5, 6)):
        facts = composition_of(problem.id).facts
        assert [fact.template in closing for fact in facts] == [False] * (len(facts) - 1) + [True]
        for left_out in range(1, len(facts) - 1):
            _, totals = run([f"total = {fact.code}" for i, fact in enumerate(facts) if i != left_out])
            broken += float(str(totals[-1])) % 1 != 0
            total += 1
    assert broken / total > 0.5
