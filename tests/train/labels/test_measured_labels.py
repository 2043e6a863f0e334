"""Labels by completion of curriculum solutions, measured against the exact check of every step."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

import pytest

from search.data import Candidate, Finish, LabelledSolution, Outcome, Problem, State, Step
from search.formats.code_format import CodeFormat
from search.grading.grader import grader
from search.problems.curriculum import check_steps, composition_of, make_problems, worked_trajectory
from search.protocols import SearchServices
from search.strategies.labelling.first_error_search import find_first_error
from search.strategies.labelling.math_shepherd import label_every_step
from search.strategies.labelling.monte_carlo_labels import PrefixCompletions
from search.strategies.registry import search_config
from tests.fakes.executor import ScriptedExecutor, interpret
from tests.fakes.policy import Request, ScriptedPolicy
from train.labels.consensus import filter_by_consensus
from train.labels.quality import measure_quality

CONFIG = search_config(strategy="sampling", candidates=4, max_depth=20)


def guided_policy(fails: Collection[int] = ()) -> ScriptedPolicy:
    """Return a policy that goes on with what the worked solution does next, whatever the total is.

    Of four completions one does, the others stop short; after as many steps as a number in ``fails`` all stop short.
    """

    def script(request: Request) -> list[Candidate]:
        state, done = request.state, len(request.state.steps)
        if CodeFormat().concluding(state):
            texts = [f"\n<answer>\\boxed{{{state.steps[-1].output}}}<end_of_answer>"]
        else:
            rest = "".join(step.text for step in worked_trajectory(state.problem).steps[done:-1])
            correct = 0 if done in fails else 1
            texts = [rest] * correct + [f"\nprint({i})<end_of_code>" for i in range(request.n - correct)]
        return [Candidate(text, tuple(range(10)), Finish.STOP) for text in texts]

    return ScriptedPolicy(script)


def with_error(problem: Problem, which: int) -> tuple[State, int]:
    """The worked solution with its ``which``-th computation far too high, carried to the end; and that step."""
    steps = list(worked_trajectory(problem).steps)
    place = [index for index, step in enumerate(steps) if "total =" in step.code][which]
    code = f"{steps[place].code} + 1000"
    steps[place] = Step(f"\n{code}<end_of_step>", code=code, outcome=Outcome.OK)
    incorrect = "-1"  # what it comes to does not matter, only that it is incorrect
    steps[-2] = replace(steps[-2], output=incorrect)
    steps[-1] = replace(steps[-1], text=f"\n<answer>\\boxed{{{incorrect}}}<end_of_answer>", answer=incorrect)
    return State(problem, tuple(steps)), place


@pytest.fixture(scope="module")
def solutions() -> list[State]:
    states = []
    for problem in make_problems("worked", 4, 5, (3, 3)):
        states += [
            State(problem, worked_trajectory(problem).steps),
            with_error(problem, 0)[0],
            with_error(problem, 2)[0],
        ]
    return states


async def truth(solutions: list[State]) -> list[int | None]:
    return [await check_steps(composition_of(s.problem.id), s, ScriptedExecutor(interpret)) for s in solutions]


def services(policy: ScriptedPolicy) -> SearchServices:
    return SearchServices(policy=policy, executor=ScriptedExecutor(interpret), format=CodeFormat(), grader=grader())


async def test_completions_find_every_error_of_an_able_policy(solutions: list[State]) -> None:
    places = await truth(solutions)
    assert places == [place for s in solutions[::3] for place in (None, *(with_error(s.problem, i)[1] for i in (0, 2)))]
    every = [
        await label_every_step(s, PrefixCompletions(CONFIG, CONFIG.candidates, services(guided_policy()), 1))
        for s in solutions
    ]
    search = [
        await find_first_error(s, PrefixCompletions(CONFIG, CONFIG.candidates, services(guided_policy()), 1))
        for s in solutions
    ]
    for labelled in (every, search):
        measured = measure_quality(zip(labelled, places, strict=True))
        assert (measured.erroneous, measured.erroneous_matched, measured.error_free, measured.error_free_matched) == (
            8,
            8,
            4,
            4,
        )
        assert (measured.true_positives, measured.false_positives, measured.false_negatives, measured.incomplete) == (
            8,
            0,
            0,
            0,
        )
    # at every step: four completions, one where only the answer is left, none after the answer
    assert [solution.completions for solution in every] == [4 * (len(s.steps) - 2) + 1 for s in solutions]
    assert sum(solution.completions for solution in search) < sum(solution.completions for solution in every) / 2
    kept, counts = filter_by_consensus(
        [solution.record for solution in every],
        [solution.record for solution in search],
    )
    assert (len(kept), counts.agreed_error_free, counts.agreed_erroneous) == (12, 4, 8)


async def test_unable_policy_gives_false_positives(solutions: list[State]) -> None:
    places = await truth(solutions)
    every: list[LabelledSolution] = [
        await label_every_step(s, PrefixCompletions(CONFIG, CONFIG.candidates, services(guided_policy(fails={1})), 1))
        for s in solutions
    ]
    measured = measure_quality(zip(every, places, strict=True))
    first = places.count(0)  # solutions that are incorrect in the first step have it found all the same
    assert (measured.erroneous_matched, measured.error_free_matched) == (first, 0)
    assert measured.false_positives == 12 - first  # one each
    assert measured.true_positives == 8  # the steps that are incorrect are called so as well
