"""Scripted services: a policy that answers from a table, an executor for sums, a reward model with fixed logits."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import pytest

from search.data import Candidate, Finish, Outcome, Problem, Proposal, Sampling, Scores, State, Step
from search.formats.code_format import CodeFormat
from search.grading.grader import grader
from search.protocols import SearchServices

STEP, CODE_END = "<end_of_step>", "<end_of_code>"


def codes(state: State) -> tuple[str, ...]:
    return tuple(step.code for step in state.steps)


@dataclass
class ScriptedPolicy:
    """Proposes the candidates that ``table`` has for the codes so far; records every call.

    After a program it states its output as the answer, or writes ``answer_text``.
    """

    table: Mapping[tuple[str, ...], Sequence[str]]
    latency: random.Random | None = None
    answer_text: str = ""
    calls: list[tuple[tuple[str, ...], int, int]] = field(default_factory=list)

    async def propose(self, state: State, n: int, sampling: Sampling, seed: int) -> Proposal:
        self.calls.append((codes(state), n, seed))
        if self.latency is not None:
            await asyncio.sleep(self.latency.random() / 500)
        if state.steps and state.steps[-1].text.endswith(CODE_END):
            texts = [self.answer_text or f"\n<answer>\\boxed{{{state.steps[-1].output}}}<end_of_answer>"]
        else:
            texts = list(self.table[codes(state)])[:n]
        candidates = tuple(Candidate(text, tuple(range(len(text.split()))), Finish.STOP) for text in texts)
        return Proposal(candidates, prompt_tokens=10 + len(state.steps), version=3)


@dataclass
class SumExecutor:
    """Runs ``name = number`` and ``print(number)``; the word ``raise`` makes a step fail."""

    async def run(self, state: State, steps: Sequence[Step]) -> list[Step]:
        return [self.run_step(step) for step in steps]

    def run_step(self, step: Step) -> Step:
        if "raise" in step.code:
            return replace(step, output="ValueError: no", outcome=Outcome.EXCEPTION)
        printed = step.code.partition("print(")[2].rstrip(")")
        return replace(step, output=printed, outcome=Outcome.OK)


@dataclass
class TableRewardModel:
    """A logit by the last step's code; 0 for anything else."""

    logits: Mapping[str, float]

    async def score(self, states: Sequence[State]) -> Scores:
        logits = tuple(self.logits.get(state.steps[-1].code, 0.0) for state in states)
        return Scores(logits, prompt_tokens=5 * len(states))


def step(code: str) -> str:
    return f"{code}{STEP}"


def last(code: str) -> str:
    return f"{code}{CODE_END}"


PROBLEM = Problem(id="p1", question="What is 3 + 4?", answer="7", source="test")

# a = 3 leads to 7 (correct) and 12 (incorrect); a = 4 leads to 1 (incorrect) and to code that fails; raise never runs
TABLE = {
    (): [step("a = 3"), step("a = 4"), step("raise")],
    ("a = 3",): [last("print(7)"), last("print(12)"), last("print(7)")],
    ("a = 4",): [last("print(1)"), last("raise print(2)"), last("print(1)")],
}


@pytest.fixture
def problem() -> Problem:
    return PROBLEM


@pytest.fixture
def policy() -> ScriptedPolicy:
    return ScriptedPolicy(TABLE)


@pytest.fixture
def services(policy: ScriptedPolicy) -> SearchServices:
    return SearchServices(policy=policy, executor=SumExecutor(), format=CodeFormat(), grader=grader())


@pytest.fixture
def blind_services(policy: ScriptedPolicy) -> SearchServices:
    reward_model = TableRewardModel({"a = 3": 0.2, "a = 4": 0.8, "print(7)": 2.0, "print(12)": -1.0, "print(1)": -2.0})
    return SearchServices(policy=policy, executor=SumExecutor(), format=CodeFormat(), reward_model=reward_model)


@pytest.fixture
def shuffled_services() -> SearchServices:
    """The same script, answered after random waits."""
    return SearchServices(
        policy=ScriptedPolicy(TABLE, random.Random(5)), executor=SumExecutor(), format=CodeFormat(), grader=grader()
    )
