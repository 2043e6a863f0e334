"""Labels by completion of curriculum solutions, measured against the exact check of every step."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest

from search.config import SearchConfig
from search.data import Candidate, Finish, LabelledSolution, Outcome, Problem, Proposal, Sampling, State, Step
from search.formats.registry import CodeFormat
from search.grading.grader import grader
from search.problems.curriculum import check_steps, composition_of, problems, worked
from search.protocols import SearchServices
from search.strategies.labelling.monte_carlo_labels import PrefixCompletions, find_first_error, label_every_step
from tests.search.interpreter import Interpreter
from train.labels.consensus import consensus
from train.labels.quality import quality

CONFIG = SearchConfig(strategy="samples", candidates=4, max_depth=20)


@dataclass
class Knowing:
    """Goes on with what the worked solution does next, however the total stands. Of four completions one is so, the
    others stop short; from steps whose number ``fails`` all do."""

    fails: frozenset[int] = frozenset()

    async def propose(self, state: State, n: int, sampling: Sampling, seed: int) -> Proposal:
        if CodeFormat().concluding(state):
            texts = [f"\n<answer>\\boxed{{{state.steps[-1].output}}}<end_of_answer>"]
        else:
            rest = "".join(step.text for step in worked(state.problem).steps[len(state.steps) : -1])
            good = 0 if len(state.steps) in self.fails else 1
            texts = [rest] * good + [f"\nprint({i})<end_of_code>" for i in range(n - good)]
        return Proposal(tuple(Candidate(text, tuple(range(10)), Finish.STOP) for text in texts))


def with_error(problem: Problem, which: int) -> tuple[State, int]:
    """The worked solution with its ``which``-th computation far too high, carried to the end; and that step."""
    steps = list(worked(problem).steps)
    place = [index for index, step in enumerate(steps) if "total =" in step.code][which]
    code = f"{steps[place].code} + 1000"
    steps[place] = Step(f"\n{code}<end_of_step>", code, outcome=Outcome.OK)
    wrong = "-1"  # what it comes to does not matter, only that it is wrong
    steps[-2] = replace(steps[-2], output=wrong)
    steps[-1] = replace(steps[-1], text=f"\n<answer>\\boxed{{{wrong}}}<end_of_answer>", answer=wrong)
    return State(problem, tuple(steps)), place


@pytest.fixture(scope="module")
def solutions() -> list[State]:
    made = []
    for problem in problems("worked", 4, 5, (3, 3)):
        made += [State(problem, worked(problem).steps), with_error(problem, 0)[0], with_error(problem, 2)[0]]
    return made


async def truth(solutions: list[State]) -> list[int | None]:
    return [await check_steps(composition_of(s.problem.id), s, Interpreter()) for s in solutions]


def tools(policy: Knowing) -> SearchServices:
    return SearchServices(policy, Interpreter(), CodeFormat(), grader=grader())


async def test_labels_by_completion_find_every_error_where_the_policy_can_go_on(solutions: list[State]) -> None:
    places = await truth(solutions)
    assert places == [place for s in solutions[::3] for place in (None, *(with_error(s.problem, i)[1] for i in (0, 2)))]
    every = [await label_every_step(s, PrefixCompletions(CONFIG, tools(Knowing()), 1)) for s in solutions]
    search = [await find_first_error(s, PrefixCompletions(CONFIG, tools(Knowing()), 1)) for s in solutions]
    for labelled in (every, search):
        found = quality(zip(labelled, places, strict=True))
        assert (found.erroneous, found.found, found.sound, found.cleared) == (8, 8, 4, 4)
        assert (found.hits, found.false_alarms, found.misses, found.unsettled) == (8, 0, 0, 0)
    # at every step: four completions, one where only the answer is left, none after the answer
    assert [one.completions for one in every] == [4 * (len(s.steps) - 2) + 1 for s in solutions]
    assert sum(one.completions for one in search) < sum(one.completions for one in every) / 2
    kept, counts = consensus([one.record for one in every], [one.record for one in search])
    assert (len(kept), counts.agreed_right, counts.agreed_wrong) == (12, 4, 8)


async def test_a_policy_that_cannot_go_on_is_a_false_alarm(solutions: list[State]) -> None:
    places = await truth(solutions)
    every: list[LabelledSolution] = [
        await label_every_step(s, PrefixCompletions(CONFIG, tools(Knowing(frozenset({1}))), 1)) for s in solutions
    ]
    found = quality(zip(every, places, strict=True))
    first = places.count(0)  # solutions that are wrong in the first step have it found all the same
    assert (found.found, found.cleared) == (first, 0)
    assert found.false_alarms == 12 - first  # one each
    assert found.hits == 8  # the steps that are wrong are called so as well
