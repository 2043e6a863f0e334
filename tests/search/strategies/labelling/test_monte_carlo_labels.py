"""Estimates of a prefix by hand: shares of its completions, and how many are drawn."""

from __future__ import annotations

from dataclasses import replace

import pytest

from search.data import Outcome, State, Step, StepStatus
from search.strategies.labelling.first_error_search import find_first_error
from search.strategies.labelling.math_shepherd import label_every_step
from search.strategies.labelling.monte_carlo_labels import estimate
from tests.fakes.policy import ScriptedPolicy
from tests.fakes.scripts import CodeTable, completions_by_length, word_policy
from tests.fakes.services import code_services, word_services
from tests.fakes.words import PROBLEM, TOKENS
from tests.search.conftest import TABLE
from tests.search.strategies.labelling.solutions import CONFIG, completions, graded, seeds, solution


async def test_completions_count_as_often_as_they_were_drawn() -> None:
    policy = ScriptedPolicy(completions_by_length({2: 3}))
    result = await estimate(State(PROBLEM, solution(5).steps[:2]), CONFIG, 8, graded(policy), 1)
    # three equal correct solutions, five different incorrect ones, each of two words
    assert (result.drawn, result.correct, result.share) == (8, 3, 0.375)
    assert (result.cost.generated_tokens, result.cost.requests) == (8 * 2 * TOKENS, 1)


async def test_completion_without_an_answer_is_incorrect() -> None:
    policy = word_policy({}, lines=["a =7", "a !", "!", "=8"])
    result = await estimate(State(PROBLEM), CONFIG, 4, graded(policy), 1)
    assert (result.drawn, result.correct, result.share) == (4, 1, 0.25)


async def test_completions_run_code_and_state_the_answer() -> None:
    table = {("a = 3",): ["b = 4<end_of_step>print(7)<end_of_code>", "print(12)<end_of_code>", "raise<end_of_code>"]}
    policy = ScriptedPolicy(CodeTable(table))
    services = replace(code_services(policy), grader=graded(policy).grader)
    state = State(PROBLEM, (Step("a = 3<end_of_step>", code="a = 3", outcome=Outcome.OK),))
    result = await estimate(state, CONFIG, 3, services, 1)
    assert (result.drawn, result.correct) == (3, 1)
    assert (result.cost.executions, result.cost.requests) == (3, 3)  # two of them for answers
    assert [request.codes for request in policy.requests[1:]] == [
        ("a = 3", "b = 4", "print(7)"),
        ("a = 3", "print(12)"),
    ]


async def test_one_greedy_completion_when_only_the_answer_is_left() -> None:
    policy = ScriptedPolicy(CodeTable(TABLE))
    services = replace(code_services(policy), grader=graded(policy).grader)
    printed = Step("print(7)<end_of_code>", code="print(7)", output="7", outcome=Outcome.OK)
    result = await estimate(State(PROBLEM, (printed,)), CONFIG, 8, services, 1)
    assert (result.drawn, result.correct, result.share, result.cost.requests) == (1, 1, 1.0, 1)
    assert policy.requests[0].n == 1


async def test_finished_solution_is_only_graded() -> None:
    policy = ScriptedPolicy(completions_by_length({}))
    for answer, share in (("7", 1.0), ("8", 0.0)):
        result = await estimate(solution(3, answer), CONFIG, 8, graded(policy), 1)
        assert (result.drawn, result.share, result.cost.requests) == (0, share, 0)
    failed = Step("raise", code="raise", status=StepStatus.CODE_ERROR, outcome=Outcome.EXCEPTION)
    assert (await estimate(State(PROBLEM, (failed,)), CONFIG, 8, graded(policy), 1)).share == 0.0
    assert policy.requests == []


async def test_estimate_is_refused_without_a_grader() -> None:
    with pytest.raises(ValueError, match="need a grader"):
        await estimate(State(PROBLEM), CONFIG, 8, word_services(word_policy({})), 1)


async def test_no_steps_have_no_labels() -> None:
    for label in (find_first_error, label_every_step):
        result = await label(State(PROBLEM), completions(ScriptedPolicy(completions_by_length({}))))
        assert (result.record.labels, result.completions) == ((), 0)


async def test_seed_depends_on_the_step_and_not_on_earlier_ones() -> None:
    every, search, other = (ScriptedPolicy(completions_by_length({1: 1})) for _ in range(3))
    await label_every_step(solution(8), completions(every, seed=5))
    await find_first_error(solution(8), completions(search, seed=5))
    await find_first_error(solution(8), completions(other, seed=6))
    assert len(set(seeds(every).values())) == 7
    assert seeds(search).items() <= seeds(every).items()
    assert not set(seeds(other).values()) & set(seeds(search).values())
