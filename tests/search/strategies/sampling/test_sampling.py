"""Independent samples: merged when equal, executed at the pause, scored at the end."""

from __future__ import annotations

import math
from inspect import cleandoc

import pytest

from search.data import Aggregation, Problem, Step, StepStatus
from search.strategies.registry import search_config
from search.strategies.sampling.sampling import IndependentSampling
from search.strategies.sampling.solutions import draw_solutions
from search.strategies.tree.mcts import Mcts
from search.tree import Tree
from tests.fakes.drawing import draw
from tests.fakes.policy import ScriptedPolicy
from tests.fakes.scripts import CodeTable
from tests.fakes.services import code_services
from tests.search.conftest import LOGITS

WHOLE = [
    "a = 3<end_of_step>print(7)<end_of_code>",
    "a = 3<end_of_step>print(7)<end_of_code>",
    "a = 4<end_of_step>raise<end_of_code>",
    "a = 3<end_of_step>b = 2",
]


async def test_golden_tree(problem: Problem) -> None:
    """Four solutions are drawn by one request. The first two are equal: one chain of steps, drawn twice, whose program is
    run and whose answer is asked for once. Only ends with an answer are scored and graded. Samples choose no answer.
    """
    services = code_services(ScriptedPolicy(CodeTable({(): WHOLE})), LOGITS, graded=True)
    tree = await IndependentSampling(search_config(strategy="sampling", candidates=4)).search(problem, services, 1)
    assert draw(tree) == cleandoc("""
        0  question
        1  ├─ a = 3 x2
        2  │  └─ print(7) x2
        3  │     └─ =7 x2     r +0.000  correct
        4  ├─ a = 4
        5  │  └─ raise                  code_error
        6  └─ a = 3
        7     └─ b = 2                  no_answer
    """)
    assert tree.answer is None


async def test_samples_by_hand(problem: Problem) -> None:
    blind_services = code_services(ScriptedPolicy(CodeTable({(): WHOLE})), LOGITS)
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


async def test_all_steps_are_scored_when_the_aggregation_reads_them(problem: Problem) -> None:
    blind_services = code_services(ScriptedPolicy(CodeTable({(): WHOLE[:1]})), LOGITS)
    config = search_config(strategy="sampling", candidates=1)
    last = await IndependentSampling(config).search(problem.without_answer(), blind_services, 1)
    every = await IndependentSampling(config.model_copy(update={"step_aggregation": Aggregation.PRODUCT})).search(
        problem.without_answer(), blind_services, 1
    )
    assert [node.score for node in last.nodes[1:]] == [None, None, 0.0]
    assert [node.score for node in every.nodes[1:]] == [math.tanh(0.2), math.tanh(2.0), 0.0]


async def test_solutions_may_continue_a_node(problem: Problem) -> None:
    rest = ["print(7)<end_of_code>", "print(7)<end_of_code>", "b = 2<end_of_step>raise<end_of_code>"]
    services = code_services(ScriptedPolicy(CodeTable({("a = 3",): rest})), graded=True)
    tree = Tree(problem)
    start = tree.add(0, Step("a = 3<end_of_step>", code="a = 3"))
    ends = await draw_solutions(tree, search_config(strategy="sampling"), 3, services, start)
    assert [[step.code for step in tree.steps(end)[:-1]] for end in ends] == [["a = 3", "print(7)"], ["a = 3", "b = 2"]]
    assert [(tree.nodes[end].answer, tree.nodes[end].multiplicity) for end in ends] == [("7", 2), (None, 1)]
    assert tree.nodes[start].multiplicity == 1
    assert tree.nodes[start].children == [start + 1, start + 3]
    assert tree.failures == {"exception": 1}


@pytest.mark.parametrize("strategy", [IndependentSampling, Mcts])
async def test_program_without_an_answer_after_its_output_fails(
    strategy: type[IndependentSampling] | type[Mcts], problem: Problem
) -> None:
    table = {(): WHOLE[:1], ("a = 3",): ["print(7)<end_of_code>"]}
    services = code_services(ScriptedPolicy(CodeTable(table, "total = 7<end_of_step>")), graded=True)
    tree = await strategy(search_config(candidates=1, rollouts=1)).search(problem, services, 1)
    assert [node.step.status for node in tree.nodes if node.step] == [*[StepStatus.OPEN] * 2, StepStatus.NO_ANSWER]
    assert (tree.failures, tree.cost.executions) == ({"no_answer": 1}, 1 if strategy is IndependentSampling else 2)
