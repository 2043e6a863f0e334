"""Monte-Carlo labels by hand: shares, places, and how many completions each way of looking takes."""

from __future__ import annotations

import asyncio
import math
from collections import Counter
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from search.data import LabelScale, Outcome, Proposal, Sampling, State, Step, StepStatus
from search.formats.code_format import CodeFormat
from search.protocols import SearchServices
from search.strategies.labelling.first_error_search import find_first_error
from search.strategies.labelling.math_shepherd import label_every_step
from search.strategies.labelling.monte_carlo_labels import PrefixCompletions, estimate
from search.strategies.registry import search_config
from tests.fakes.scripts import word_policy
from tests.fakes.services import word_services
from tests.fakes.words import PROBLEM, TOKENS, candidate
from tests.search.conftest import TABLE, ScriptedPolicy, SumExecutor

CONFIG = search_config(strategy="sampling", candidates=8)


@dataclass
class Reaching:
    """From a state of so many steps, so many of the completions end right; the others end wrong."""

    right: dict[int, int]
    requests: Counter[int] = field(default_factory=Counter)
    seeds: dict[int, int] = field(default_factory=dict)
    silent: frozenset[int] = frozenset()

    async def propose(self, state: State, n: int, sampling: Sampling, seed: int) -> Proposal:
        done = len(state.steps)
        self.requests[done] += 1
        self.seeds[done] = seed
        if done in self.silent:
            return Proposal(())
        right = self.right.get(done, 0)
        return Proposal(tuple(candidate(f"w{i if i >= right else ''} ={7 if i < right else 8}") for i in range(n)))


def services_of(policy: object) -> SearchServices:
    return replace(word_services(word_policy({}), graded=True), policy=policy)  # type: ignore[arg-type]


def solution(steps: int, answer: str = "8") -> State:
    """A finished solution of so many steps."""
    before = tuple(Step(f"s{i}\n\n") for i in range(1, steps))
    return State(PROBLEM, (*before, Step(f"\\boxed{{{answer}}}", status=StepStatus.FINAL, answer=answer)))


async def test_completions_are_counted_as_often_as_they_were_drawn() -> None:
    policy = Reaching({2: 3})
    found = await estimate(State(PROBLEM, solution(5).steps[:2]), CONFIG, 8, services_of(policy), 1)
    # three equal right solutions, five different wrong ones, each of two words
    assert (found.drawn, found.correct, found.share) == (8, 3, 0.375)
    assert (found.cost.generated_tokens, found.cost.requests) == (8 * 2 * TOKENS, 1)


async def test_a_completion_without_an_answer_is_wrong() -> None:
    policy = word_policy({}, lines=["a =7", "a !", "!", "=8"])
    found = await estimate(State(PROBLEM), CONFIG, 4, services_of(policy), 1)
    assert (found.drawn, found.correct, found.share) == (4, 1, 0.25)


async def test_code_runs_and_the_policy_states_the_answer() -> None:
    table = {("a = 3",): ["b = 4<end_of_step>print(7)<end_of_code>", "print(12)<end_of_code>", "raise<end_of_code>"]}
    scripted = ScriptedPolicy(table)
    services = replace(code_services(), policy=scripted)
    state = State(PROBLEM, (Step("a = 3<end_of_step>", code="a = 3", outcome=Outcome.OK),))
    found = await estimate(state, CONFIG, 3, services, 1)
    assert (found.drawn, found.correct) == (3, 1)
    assert (found.cost.executions, found.cost.requests) == (3, 3)  # two answers were asked for
    assert [codes for codes, _, _ in scripted.calls[1:]] == [("a = 3", "b = 4", "print(7)"), ("a = 3", "print(12)")]


async def test_where_only_the_answer_is_left_one_greedy_completion_is_enough() -> None:
    services = code_services()
    printed = Step("print(7)<end_of_code>", code="print(7)", output="7", outcome=Outcome.OK)
    found = await estimate(State(PROBLEM, (printed,)), CONFIG, 8, services, 1)
    assert (found.drawn, found.correct, found.share, found.cost.requests) == (1, 1, 1.0, 1)
    assert services.policy.calls[0][1] == 1  # type: ignore[attr-defined]


def code_services() -> SearchServices:
    return SearchServices(
        policy=ScriptedPolicy(TABLE), executor=SumExecutor(), format=CodeFormat(), grader=services_of(None).grader
    )


async def test_a_finished_solution_is_only_graded() -> None:
    policy = Reaching({})
    for answer, share in (("7", 1.0), ("8", 0.0)):
        found = await estimate(solution(3, answer), CONFIG, 8, services_of(policy), 1)
        assert (found.drawn, found.share, found.cost.requests) == (0, share, 0)
    failed = Step("raise", code="raise", status=StepStatus.CODE_ERROR, outcome=Outcome.EXCEPTION)
    assert (await estimate(State(PROBLEM, (failed,)), CONFIG, 8, services_of(policy), 1)).share == 0.0
    assert policy.requests.total() == 0


async def test_labels_need_a_grader() -> None:
    with pytest.raises(ValueError, match="need a grader"):
        await estimate(State(PROBLEM), CONFIG, 8, word_services(word_policy({})), 1)


async def test_every_step_of_eight() -> None:
    policy = Reaching({1: 8, 2: 6, 3: 7, 4: 1})  # of eight; nothing from the fifth on
    found = await label_every_step(solution(8), PrefixCompletions(CONFIG, 8, services_of(policy), 1))
    assert found.record.scale is LabelScale.SHARE
    assert found.record.labels == (1.0, 0.75, 0.875, 0.125, 0.0, 0.0, 0.0, 0.0)
    assert (found.completions, found.cost.requests) == (
        56,
        7,
    )  # 7 steps and 8 completions each; the eighth has its outcome
    assert found.cost.generated_tokens == 56 * 2 * TOKENS
    assert policy.requests == Counter(range(1, 8))


async def test_binary_search_in_eight_steps() -> None:
    policy = Reaching({1: 8, 2: 6, 3: 7, 4: 1})
    found = await find_first_error(solution(8), PrefixCompletions(CONFIG, 8, services_of(policy), 1))
    assert found.record.scale is LabelScale.SIGN
    assert found.record.labels == (1, 1, 1, 1, -1)
    assert found.record.steps == solution(8).steps
    assert policy.requests == Counter((4, 6, 5))
    assert (found.completions, found.cost.generated_tokens) == (24, 24 * 2 * TOKENS)


@pytest.mark.parametrize(
    ("steps", "error", "looks"),
    [(1, 1, ()), (2, 1, (1,)), (2, 2, (1,)), (3, 3, (1, 2)), (7, 1, (3, 1)), (8, 1, (4, 2, 1)), (8, 8, (4, 6, 7))],
)
async def test_where_binary_search_looks(steps: int, error: int, looks: tuple[int, ...]) -> None:
    policy = Reaching(dict.fromkeys(range(1, error), 1))
    found = await find_first_error(solution(steps), PrefixCompletions(CONFIG, 8, services_of(policy), 1))
    assert tuple(policy.requests) == looks
    assert found.record.labels == (1.0,) * (error - 1) + (-1.0,)
    assert found.completions == 8 * len(looks)


async def test_a_right_solution_needs_no_completion() -> None:
    policy = Reaching({})
    found = await find_first_error(solution(6, "7"), PrefixCompletions(CONFIG, 8, services_of(policy), 1))
    assert (found.record.labels, found.completions) == ((1.0,) * 6, 0)
    assert policy.requests.total() == 0


async def test_an_unfinished_solution_is_looked_at_from_its_end_first() -> None:
    unfinished = State(PROBLEM, solution(8).steps[:4])
    policy = Reaching({4: 1})
    assert (await find_first_error(unfinished, PrefixCompletions(CONFIG, 8, services_of(policy), 1))).record.labels == (
        1,
        1,
        1,
        1,
    )
    assert policy.requests == Counter((4,))
    policy = Reaching({1: 1, 2: 1})
    found = await find_first_error(unfinished, PrefixCompletions(CONFIG, 8, services_of(policy), 1))
    assert (found.record.labels, found.completions) == ((1, 1, -1), 24)
    assert tuple(policy.requests) == (4, 2, 3)


async def test_a_policy_that_has_nothing_to_say_leaves_steps_without_labels() -> None:
    policy = Reaching({1: 8, 2: 4}, silent=frozenset((3, 4)))
    every = await label_every_step(solution(5), PrefixCompletions(CONFIG, 8, services_of(policy), 1))
    assert every.record.labels == (1.0, 0.5, None, None, 0.0)
    assert every.completions == 16
    search = await find_first_error(solution(5), PrefixCompletions(CONFIG, 8, services_of(policy), 1))
    assert (search.record.labels, search.completions) == ((), 8)  # 2 is right; at 3 nobody knows


async def test_no_steps_no_labels() -> None:
    for look in (find_first_error, label_every_step):
        found = await look(State(PROBLEM), PrefixCompletions(CONFIG, 8, services_of(Reaching({})), 1))
        assert (found.record.labels, found.completions) == ((), 0)


async def test_seeds_depend_on_the_step_and_not_on_the_way_there() -> None:
    every, search, other = Reaching({1: 1}), Reaching({1: 1}), Reaching({1: 1})
    await label_every_step(solution(8), PrefixCompletions(CONFIG, 8, services_of(every), 5))
    await find_first_error(solution(8), PrefixCompletions(CONFIG, 8, services_of(search), 5))
    await find_first_error(solution(8), PrefixCompletions(CONFIG, 8, services_of(other), 6))
    assert len(set(every.seeds.values())) == 7
    assert search.seeds.items() <= every.seeds.items()
    assert not set(other.seeds.values()) & set(search.seeds.values())


@settings(deadline=None)
@given(st.integers(1, 40), st.data())
def test_binary_search_finds_what_a_look_at_every_step_finds(steps: int, data: st.DataObject) -> None:
    error = data.draw(st.integers(1, steps))
    right = {done: data.draw(st.integers(1, 4)) for done in range(1, error)}
    scan = asyncio.run(label_every_step(solution(steps), PrefixCompletions(CONFIG, 4, services_of(Reaching(right)), 1)))
    search = asyncio.run(find_first_error(solution(steps), PrefixCompletions(CONFIG, 4, services_of(Reaching(right)), 1)))
    assert scan.record.labels.index(0.0) == search.record.labels.index(-1.0) == error - 1
    assert scan.completions == 4 * (steps - 1)
    assert search.completions <= 4 * math.ceil(math.log2(steps))


@settings(deadline=None)
@given(st.integers(2, 12), st.sets(st.integers(1, 11)))
def test_whatever_is_right_from_where_the_place_is_one_where_right_turns_wrong(steps: int, reached: set[int]) -> None:
    policy = Reaching(dict.fromkeys(reached, 1))
    found = asyncio.run(find_first_error(solution(steps), PrefixCompletions(CONFIG, 8, services_of(policy), 1)))
    place = found.record.labels.index(-1.0)
    assert place + 1 == steps or place + 1 not in reached
    assert place == 0 or place in reached
