"""One scripted search for each strategy, compared with a digest that was taken before the code was laid out anew.

A digest covers, of every node, parent, step text, visits, value sum, score and answer, and of the tree its answer, failures and
cost without seconds. A change of a strategy that is meant to change trees renews its digests in the same commit.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import pytest

from search.data import Candidate, Finish, Outcome, Problem, Proposal, Sampling, Scores, State, Step, Until
from search.formats.code_format import CodeFormat
from search.formats.plain_format import PlainFormat
from search.protocols import SearchServices
from search.seeds import derive
from search.strategies.registry import build, search_config
from search.tree import Tree

PROBLEM = Problem(id="p1", question="What is 3 + 4?", answer="2", source="test")


@dataclass(frozen=True)
class HashedPolicy:
    """Draws texts that depend on the question, the steps so far, the sampling, the seed and ``salt``, on nothing else."""

    code: bool
    salt: str = ""

    async def propose(self, state: State, n: int, sampling: Sampling, seed: int) -> Proposal:
        texts = [step.text for step in state.steps]
        settings = (sampling.temperature, sampling.top_p, sampling.top_k, sampling.max_tokens, sampling.until.value)
        base = derive(seed, self.salt, state.problem.question, *texts, *settings)
        drawn = []
        for i in range(n):
            number = derive(base, 0 if sampling.temperature == 0 else i)
            text, finish = self._code(state, sampling, number) if self.code else self._words(state, sampling, number)
            drawn.append(Candidate(text, tuple(range(len(text))), finish))
        return Proposal(tuple(drawn), prompt_tokens=10 + len(texts), cached_tokens=len(texts), version=1)

    def _words(self, state: State, sampling: Sampling, number: int) -> tuple[str, Finish]:
        steps = 1 if sampling.until is Until.STEP else 1 + number % 3
        text = "".join(f"What is left? Part {(number >> (8 * k)) % 3}.\n\n" for k in range(steps))
        if sampling.until is Until.STEP and number % 5 > len(state.steps):
            return text, Finish.STOP
        if number % 11 == 0:
            return text + "cut", Finish.LENGTH
        return (
            f"{text if sampling.until is Until.PAUSE else ''}The answer is \\boxed{{{(number >> 32) % 3}}}",
            Finish.END,
        )

    def _code(self, state: State, sampling: Sampling, number: int) -> tuple[str, Finish]:
        if state.steps and state.steps[-1].text.endswith("<end_of_code>"):
            return f"<answer>\\boxed{{{state.steps[-1].output}}}<end_of_answer>", Finish.STOP
        line = "raise" if number % 7 == 0 else f"# What is left?\na = {number % 3}"
        last = f"print({(number >> 16) % 3})<end_of_code>"
        if sampling.until is Until.STEP:
            return (f"{line}<end_of_step>" if number % 5 > len(state.steps) else last), Finish.STOP
        return f"# How many?\nb = {number % 4}<end_of_step>\n{last}", Finish.STOP


class HashedRewardModel:
    """A logit between -2 and 2 by the steps of a state."""

    async def score(self, states: Sequence[State]) -> Scores:
        logits = tuple(derive(5, *(step.text for step in state.steps)) % 4001 / 1000 - 2 for state in states)
        return Scores(logits, prompt_tokens=7 * len(states), cached_tokens=len(states))


class LineExecutor:
    """Prints what stands in ``print(…)``; ``raise`` fails."""

    async def run(self, state: State, steps: Sequence[Step]) -> list[Step]:
        return [self._run(step) for step in steps]

    def _run(self, step: Step) -> Step:
        if "raise" in step.code:
            return replace(step, output="ValueError: no", outcome=Outcome.EXCEPTION)
        return replace(step, output=step.code.partition("print(")[2].rstrip(")"), outcome=Outcome.OK)


class SameText:
    """Correct is what is written like the reference."""

    def grade(self, problem: Problem, answer: str | None) -> bool:
        return answer == problem.answer


def neutral(tree: Tree) -> str:
    """A tree as text, without the names of its fields."""
    nodes = [
        [
            node.parent,
            node.step.text if node.step else None,
            node.visits,
            round(node.value_sum, 9),
            None if node.score is None else round(node.score, 9),
            node.answer,
        ]
        for node in tree.nodes
    ]
    spent = [value for name, value in sorted(dataclasses.asdict(tree.cost).items()) if name != "seconds"]
    return json.dumps([nodes, tree.answer, sorted(tree.failures.items()), spent], ensure_ascii=True)


CASES: list[tuple[str, dict[str, Any], bool, str]] = [
    ("mcts", {"rollouts": 8, "progressive_widening": 0.5, "parallel_rollouts": 3}, True, "GRADED"),
    ("mcts", {"rollouts": 8, "unvisited_value": "zero", "finish_first": True}, False, "SCORED"),
    ("sampling", {"candidates": 6}, False, "SCORED"),
    ("best_of_n", {"candidates": 6, "budget_tokens": 300, "step_aggregation": "product"}, True, "SCORED"),
    ("beam", {"candidates": 3, "beam_width": 2, "answer_rule": "posterior"}, False, "SCORED"),
    ("dvts", {"candidates": 3, "rollouts": 3, "answer_rule": "weighted"}, True, "SCORED"),
    ("rstar", {"candidates": 2, "rollouts": 6, "instructions": True}, False, "BOTH"),
    ("rstar", {"candidates": 2, "rollouts": 6}, True, "BOTH"),
    ("sphere", {"candidates": 4, "instructions": True}, False, "BOTH"),
    ("math_shepherd", {"candidates": 3, "solutions": 3}, False, "BOTH"),
    ("first_error_search", {"candidates": 3, "solutions": 3}, True, "GRADED"),
]
DIGESTS = [
    "39465eea878b0480",
    "c82972b5033e072f",
    "2e8601383798bd7b",
    "6129d2cc5ddde157",
    "a073e2963c79df72",
    "47f885c4c52a6f3d",
    "3baf578cc9a271a5",
    "0794e7e510c9b7bc",
    "3f37df0d05d9edbb",
    "b92a89416c7fa886",
    "44deee12e188e12e",
]


async def digest_of(strategy: str, options: dict[str, Any], code: bool, who: str) -> str:
    """The digest of three trees, grown from seeds 1, 2 and 3."""
    texts = []
    for seed in (1, 2, 3):
        services = SearchServices(
            policy=HashedPolicy(code),
            executor=LineExecutor(),
            format=CodeFormat() if code else PlainFormat(),
            reward_model=HashedRewardModel() if who != "GRADED" else None,
            grader=SameText() if who != "SCORED" else None,
            second_policy=HashedPolicy(code, "second"),
        )
        config = search_config(strategy=strategy, max_depth=6, **options)
        texts.append(neutral(await build(config).search(PROBLEM, services, seed)))
    return hashlib.sha256("\n".join(texts).encode()).hexdigest()[:16]


@pytest.mark.parametrize("number", range(len(CASES)))
async def test_same_seeds_give_the_same_trees_as_before(number: int) -> None:
    assert await digest_of(*CASES[number]) == DIGESTS[number]
