"""Scores of steps by what they lead to, worked out by hand."""

from __future__ import annotations

import pytest

from search.data import Candidate
from search.strategies.registry import build, search_config
from search.tree import ROOT
from tests.fakes.policy import Request, ScriptedPolicy
from tests.fakes.scripts import CodeTable, word_policy
from tests.fakes.services import code_services, word_services
from tests.fakes.words import PROBLEM, Words, candidate, word
from tests.search.tree_checks import expanded

# By themselves a (0.9) is better than b (0.1). Greedily a leads to x (-0.5) and a failure, b to y (0.8) and =7 (0.7).
DRAWN: dict[Words, list[str]] = {(): ["a", "b", "=8"], ("a",): ["=1"], ("b",): ["=2", "z"], ("b", "z"): ["=3"]}
GREEDY: dict[Words, str] = {("a",): "x", ("a", "x"): "!", ("b",): "y", ("b", "y"): "=7", ("b", "z"): "=7"}
REWARDS = {"a": 0.9, "b": 0.1, "=8": -0.1, "x": -0.5, "y": 0.8, "z": 0.3, "=7": 0.7}


def drawn_or_greedy(request: Request) -> list[Candidate]:
    here, is_greedy = request.words, request.sampling.temperature == 0
    return [candidate(line) for line in ([GREEDY[here]] if is_greedy else DRAWN[here])[: request.n]]


@pytest.mark.parametrize(
    ("lookahead", "scores", "nodes", "greedy_steps"),
    [
        (0, {"a": 0.9, "b": 0.1, "=8": -0.1}, ["", "a"], 0),
        (1, {"a": -0.5, "b": 0.8, "=8": -0.1}, ["", "b", "z"], 3),
        (2, {"a": -0.5, "b": 0.7, "=8": -0.1}, ["", "b", "z"], 5),  # a leads to x; the failure after it is left out
        (3, {"a": -0.5, "b": 0.7, "=8": -0.1}, ["", "b", "z"], 5),  # =7 is the end
    ],
)
async def test_step_has_the_score_of_what_it_leads_to(
    lookahead: int, scores: dict[str, float], nodes: list[str], greedy_steps: int
) -> None:
    """Three candidates at the root, then at b two, of which the open z leads to =7 and is better than the finished =2."""
    config = search_config(strategy="beam", beam_width=1, candidates=3, lookahead=lookahead)
    policy = ScriptedPolicy(drawn_or_greedy)
    tree = await build(config).search(PROBLEM.without_answer(), word_services(policy, REWARDS), 1)
    first = [tree.nodes[i] for i in tree.nodes[ROOT].children]
    assert {word(node.step): node.score for node in first} == pytest.approx(scores)
    assert expanded(tree) == nodes
    greedy = [request for request in policy.requests if request.sampling.temperature == 0]
    assert [request.n for request in greedy] == [1] * greedy_steps
    drawn = sum(node.tokens for node in tree.nodes)
    assert tree.cost.generated_tokens == drawn + 10 * greedy_steps
    assert tree.cost.reward_model_requests == len(nodes)


async def test_lookahead_stops_at_the_depth_limit() -> None:
    config = search_config(strategy="beam", beam_width=1, candidates=3, lookahead=9, max_depth=2)
    policy = word_policy({(): ["a"], ("a",): ["x", "=7"]})
    await build(config).search(PROBLEM.without_answer(), word_services(policy, REWARDS), 1)
    assert [(request.words, request.sampling.temperature) for request in policy.requests] == [
        ((), 1.0),
        (("a",), 0.0),
        (("a",), 1.0),
    ]


async def test_code_ahead_is_run_and_failures_are_left_out() -> None:
    step, code = "<end_of_step>", "<end_of_code>"
    table = {(): [f"a = 1{step}"], ("a = 1",): [f"print(7){code}"], ("a = 1", "print(7)"): [f"raise{step}"]}
    services = code_services(ScriptedPolicy(CodeTable(table)), {"a = 1": 0.1, "print(7)": 0.3, "": 0.5})
    config = search_config(strategy="dvts", rollouts=1, candidates=1, lookahead=2, max_depth=5)
    tree = await build(config).search(PROBLEM.without_answer(), services, 1)
    assert [node.logit for node in tree.nodes[1:]] == [0.5, 0.5, 0.5]  # all of them lead to the stated answer
    assert tree.answer == "7"


async def test_nothing_is_looked_ahead_without_a_reward_model() -> None:
    config = search_config(strategy="beam", beam_width=1, candidates=3, lookahead=2)
    policy = ScriptedPolicy(drawn_or_greedy)
    await build(config).search(PROBLEM, word_services(policy, graded=True), 1)
    assert [request.sampling.temperature for request in policy.requests] == [1.0, 1.0]
