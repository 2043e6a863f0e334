"""Searches for labels: what stands in the nodes, and that a prefix is completed once, whichever solutions share it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace

import pytest

from search.config import SearchConfig
from search.data import Proposal, Sampling, Scores, State
from search.protocols import SearchServices
from search.strategies.registry import build, search_config
from search.tree import Tree
from tests.fakes.scripts import word_policy
from tests.fakes.services import word_services
from tests.fakes.words import PROBLEM, TOKENS, candidate

SOLUTIONS = ("a b c =8", "a b d =8", "a b c =8", "e =7")


@dataclass
class Reaching:
    """Draws SOLUTIONS from the question; after a step, as many completions end right as ``right`` says for its word."""

    right: dict[str, int]
    requests: Counter[tuple[str, ...]] = field(default_factory=Counter)

    async def propose(self, state: State, n: int, sampling: Sampling, seed: int) -> Proposal:
        words = tuple(step.text.strip() for step in state.steps)
        self.requests[words] += 1
        if not words:
            return Proposal(tuple(candidate(text) for text in SOLUTIONS[:n]))
        right = self.right.get(words[-1], 0)
        return Proposal(tuple(candidate(f"w{i if i >= right else ''} ={7 if i < right else 8}") for i in range(n)))


class Wary:
    """Scores a state by the number of its steps."""

    async def score(self, states: list[State]) -> Scores:
        return Scores(tuple(float(len(state.steps)) for state in states))


def config(strategy: str, candidates: int = 4) -> SearchConfig:
    return search_config(strategy=strategy, candidates=candidates, solutions=4)


def services_of(policy: object, reward_model: object | None = None) -> SearchServices:
    return replace(word_services(word_policy({}), graded=True), policy=policy, reward_model=reward_model)  # type: ignore[arg-type]


def labels(tree: Tree) -> dict[tuple[str, ...], tuple[float | None, int]]:
    """Label and number of completions of each node, by the words down to it."""
    return {
        tuple(step.text.strip() for step in tree.steps(i)): (node.label, node.completions)
        for i, node in enumerate(tree.nodes)
        if node.step is not None
    }


async def test_every_step_has_the_share_of_its_completions_that_end_right() -> None:
    policy = Reaching({"a": 3, "b": 1, "c": 0, "d": 2, "e": 4})
    tree = await build(config("math_shepherd")).search(PROBLEM, services_of(policy), 1)
    found = labels(tree)
    assert found[("a",)][0] == 0.75 and found[("a", "b")][0] == 0.25
    assert found[("a", "b", "c")] == (0.0, 4) and found[("a", "b", "d")] == (0.5, 4) and found[("e",)] == (1.0, 4)
    assert [label for label, _ in (found[path] for path in found if path[-1].startswith("\\boxed"))] == [0.0, 0.0, 1.0]
    assert policy.requests == Counter(
        {(): 1, ("a",): 1, ("a", "b"): 1, ("a", "b", "c"): 1, ("a", "b", "d"): 1, ("e",): 1}
    )
    assert sum(node.completions for node in tree.nodes) == 5 * 4
    drawn = sum(node.tokens * node.multiplicity for node in tree.nodes)
    assert tree.cost.generated_tokens == drawn + 20 * 2 * TOKENS and tree.cost.requests == 6


async def test_first_errors_take_fewer_completions_and_none_where_the_solution_is_right() -> None:
    policy = Reaching({"a": 3, "b": 1, "d": 2})
    tree = await build(config("first_error_search")).search(PROBLEM, services_of(policy), 1)
    found = labels(tree)
    assert [found[path][0] for path in (("a",), ("a", "b"), ("a", "b", "c"))] == [1.0, 1.0, 0.0]
    assert [found[path][0] for path in (("e",), ("e", "\\boxed{7}"))] == [1.0, 1.0]
    assert policy.requests == Counter({(): 1, ("a", "b"): 1, ("a", "b", "c"): 1, ("a", "b", "d"): 1})
    assert sum(node.completions for node in tree.nodes) == 3 * 4


async def test_a_reward_model_scores_every_step() -> None:
    tree = await build(config("first_error_search")).search(PROBLEM, services_of(Reaching({}), Wary()), 1)
    finished = [i for end in tree.terminals() for i in tree.path(end)]
    assert all(tree.nodes[i].score is not None for i in finished)


async def test_labels_need_a_grader() -> None:
    blind = replace(services_of(Reaching({})), grader=None)
    for strategy in ("math_shepherd", "first_error_search"):
        with pytest.raises(ValueError, match="need a grader"):
            await build(config(strategy)).search(PROBLEM, blind, 1)
