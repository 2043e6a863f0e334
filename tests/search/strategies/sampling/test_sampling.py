"""Independent samples: merged when equal, executed at the pause, scored at the end."""

from __future__ import annotations

import math

import pytest

from search.data import Aggregation, Problem, Step, StepStatus
from search.protocols import SearchServices
from search.strategies.registry import search_config
from search.strategies.sampling.sampling import IndependentSampling
from search.strategies.sampling.solutions import draw_solutions
from search.strategies.tree.mcts import Mcts
from search.tree import Tree

WHOLE = [
    "a = 3<end_of_step>print(7)<end_of_code>",
    "a = 3<end_of_step>print(7)<end_of_code>",
    "a = 4<end_of_step>raise<end_of_code>",
    "a = 3<end_of_step>b = 2",
]


async def test_samples_by_hand(problem: Problem, blind_services: SearchServices) -> None:
    blind_services.policy.table = {(): WHOLE}  # type: ignore[attr-defined]
    tree = await IndependentSampling(search_config(strategy="sampling", candidates=4)).search(
        problem.without_answer(), blind_services, 1
    )
    leaves = [node for node in tree.nodes[1:] if not node.children]
    assert [(n.step.answer, n.step.status, n.multiplicity) for n in leaves if n.step] == [
        ("7", StepStatus.FINAL, 2),
        (None, StepStatus.CODE_ERROR, 1),
        (None, StepStatus.NO_ANSWER, 1),
    ]
    assert leaves[0].score == math.tanh(0.0)
    assert tree.failures == {"exception": 1, "no_answer": 1}
    assert tree.cost.executions == 2
    assert tree.cost.requests == 3  # one for all samples, one for an answer, one to the reward model


async def test_all_steps_are_scored_where_a_solution_is_more_than_its_last(
    problem: Problem, blind_services: SearchServices
) -> None:
    blind_services.policy.table = {(): WHOLE[:1]}  # type: ignore[attr-defined]
    config = search_config(strategy="sampling", candidates=1)
    last = await IndependentSampling(config).search(problem.without_answer(), blind_services, 1)
    every = await IndependentSampling(config.model_copy(update={"step_aggregation": Aggregation.PRODUCT})).search(
        problem.without_answer(), blind_services, 1
    )
    assert [node.score for node in last.nodes[1:]] == [None, None, 0.0]
    assert [node.score for node in every.nodes[1:]] == [math.tanh(0.2), math.tanh(2.0), 0.0]


async def test_solutions_may_go_on_from_a_node(problem: Problem, services: SearchServices) -> None:
    services.policy.table = {
        ("a = 3",): ["print(7)<end_of_code>", "print(7)<end_of_code>", "b = 2<end_of_step>raise<end_of_code>"]
    }  # type: ignore[attr-defined]
    tree = Tree(problem)
    start = tree.add(0, Step("a = 3<end_of_step>", code="a = 3"))
    ends = await draw_solutions(tree, search_config(strategy="sampling"), 3, services, start)
    assert [[step.code for step in tree.steps(end)[:-1]] for end in ends] == [["a = 3", "print(7)"], ["a = 3", "b = 2"]]
    assert [(tree.nodes[end].answer, tree.nodes[end].multiplicity) for end in ends] == [("7", 2), (None, 1)]
    assert tree.nodes[start].multiplicity == 1
    assert tree.nodes[start].children == [start + 1, start + 3]
    assert tree.failures == {"exception": 1}


@pytest.mark.parametrize("strategy", [IndependentSampling, Mcts])
async def test_a_program_that_goes_on_after_its_output_has_no_answer(
    strategy: type[IndependentSampling] | type[Mcts], problem: Problem, services: SearchServices
) -> None:
    services.policy.table = {(): WHOLE[:1], ("a = 3",): ["print(7)<end_of_code>"]}  # type: ignore[attr-defined]
    services.policy.answer_text = "total = 7<end_of_step>"  # type: ignore[attr-defined]
    tree = await strategy(search_config(candidates=1, rollouts=1)).search(problem, services, 1)
    assert [node.step.status for node in tree.nodes if node.step] == [*[StepStatus.OPEN] * 2, StepStatus.NO_ANSWER]
    assert (tree.failures, tree.cost.executions) == ({"no_answer": 1}, 1 if strategy is IndependentSampling else 2)
