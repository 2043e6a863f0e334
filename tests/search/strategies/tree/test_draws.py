"""One depth side by side: requests at one node, answers after programs, and what is written at the last depth."""

from __future__ import annotations

from typing import Any

import pytest

from search.data import Candidate, Finish, Step, StepStatus, Until
from search.strategies.registry import build, entry_of, search_config
from search.strategies.tree.draws import Draw, draw_side_by_side
from search.tree import ROOT, Tree
from tests.fakes.policy import Request, ScriptedPolicy
from tests.fakes.scripts import CodeTable, word_policy
from tests.fakes.services import code_services, word_services
from tests.fakes.words import PROBLEM, word
from tests.search.tree_checks import check_sums

STEP, CODE = "<end_of_step>", "<end_of_code>"


async def test_requests_at_one_node_make_one_node_of_equal_steps() -> None:
    tree, policy = Tree(PROBLEM), word_policy({(): ["a", "!", "a", "b"]})
    services = word_services(policy, {"a": 0.2, "b": 0.4})
    drawn = await draw_side_by_side(tree, [Draw(ROOT, 2), Draw(ROOT, 2)], search_config().expansion(), services)
    assert drawn == [{1: 1}, {1: 1, 3: 1}]
    assert [(word(node.step), node.multiplicity) for node in tree.nodes[1:]] == [("a", 2), ("!", 1), ("b", 1)]
    assert tree.nodes[ROOT].draws == 2
    assert policy.requests[0].seed != policy.requests[1].seed
    assert tree.failures == {"no_answer": 1}
    assert tree.cost.scored_states == 2


async def test_answer_after_a_program_counts_for_all_its_candidates() -> None:
    policy = ScriptedPolicy(CodeTable({}))
    tree = Tree(PROBLEM)
    program = tree.add(ROOT, Step(f"print(7){CODE}", code="print(7)", output="7"))
    drawn = await draw_side_by_side(
        tree, [Draw(program, 3), Draw(program, 2)], search_config().expansion(), code_services(policy)
    )
    (answer,) = tree.terminals()
    assert drawn == [{answer: 3}, {answer: 2}]
    assert (tree.nodes[answer].multiplicity, tree.nodes[program].draws) == (5, 1)
    assert [(request.n, request.sampling.temperature) for request in policy.requests] == [(1, 0.0)]


async def test_programs_are_written_to_their_end_at_the_last_depth() -> None:
    """Step a stands at the last depth but one: what follows is a whole program, run, and its answer is stated."""
    table = {
        (): [f"a = 1{STEP}", f"raise{STEP}"],
        ("a = 1",): [f"b = 2{STEP}\nprint(7){CODE}", f"b = 2{STEP}\nprint(7){CODE}", f"raise{CODE}"],
    }
    policy = ScriptedPolicy(CodeTable(table))
    config = search_config(strategy="beam", beam_width=1, candidates=3, max_depth=2)
    tree = await build(config).search(PROBLEM.without_answer(), code_services(policy, {"a = 1": 0.5}), 1)
    assert [(request.n, request.sampling.until) for request in policy.requests] == [
        (3, Until.STEP),
        (3, Until.PAUSE),
        (1, Until.STEP),
    ]
    (answer,) = tree.terminals()
    assert (tree.answer, tree.nodes[answer].depth, tree.nodes[answer].multiplicity) == ("7", 4, 2)
    assert [tree.nodes[i].step.code for i in tree.path(answer)][:3] == ["a = 1", "b = 2", "print(7)"]  # type: ignore[union-attr]
    assert tree.failures == {"exception": 2}
    check_sums(tree)


async def test_answer_of_a_program_is_stated_at_the_last_depth() -> None:
    policy = ScriptedPolicy(CodeTable({(): [f"print(7){CODE}", f"a = 1{STEP}"], ("a = 1",): [f"print(8){CODE}"]}))
    config = search_config(strategy="beam", beam_width=2, candidates=1, max_depth=2)
    tree = await build(config).search(PROBLEM.without_answer(), code_services(policy), 1)
    assert sorted((node.answer, node.depth) for node in tree.nodes if node.answer) == [("7", 2), ("8", 3)]
    assert not [node for node in tree.nodes if node.step and node.step.status is StepStatus.TOO_DEEP]


def endless_code(request: Request) -> list[Candidate]:
    """Steps that are never the same and end no program; in one go a program of two steps; after it its output."""
    steps, numbers = request.state.steps, [f"{request.earlier}{i}" for i in range(request.n)]
    if steps and steps[-1].text.endswith(CODE):
        texts = [f"<answer>\\boxed{{{steps[-1].output}}}<end_of_answer>"]
    elif request.sampling.until is Until.PAUSE:
        texts = [f"b = {number}{STEP}\nprint({number}){CODE}" for number in numbers]
    else:
        texts = [f"a = {number}{STEP}" for number in numbers]
    return [Candidate(text, (1,), Finish.STOP) for text in texts]


@pytest.mark.parametrize("lookahead", [0, 2])
@pytest.mark.parametrize(
    "options",
    [
        {"strategy": "beam", "beam_width": 3, "candidates": 2},
        {
            "strategy": "beam",
            "beam_width": 3,
            "candidates": 2,
            "finished_keep_places": False,
            "filter_duplicates": True,
        },
        {"strategy": "dvts", "rollouts": 3, "candidates": 2},
        {"strategy": "rebase", "candidates": 6},
    ],
)
async def test_bound_is_met_by_the_longest_search(options: dict[str, Any], lookahead: int) -> None:
    if lookahead and options["strategy"] != "rebase":
        options = {**options, "lookahead": lookahead}
    config = search_config(max_depth=4, max_step_tokens=4, **options)
    policy = ScriptedPolicy(endless_code)
    tree = await build(config).search(PROBLEM.without_answer(), code_services(policy, {}), 1)
    bound = entry_of(config).bound(config)
    assert len(policy.requests) <= bound.requests and tree.cost.generated_tokens <= bound.tokens
    assert len(policy.requests) == bound.requests or "lookahead" in options


@pytest.mark.parametrize(
    ("options", "tokens"),
    [
        ({"strategy": "beam", "beam_width": 3, "candidates": 2}, 2 * 6 * 5 + 6 * 30),
        ({"strategy": "dvts", "rollouts": 2, "candidates": 3, "lookahead": 1}, 2 * 2 * 6 * 5 + 6 * 30),
        ({"strategy": "rebase", "candidates": 6}, 2 * 6 * 5 + 6 * 30),
    ],
)
def test_bound_has_room_for_whole_programs_at_the_last_depth(options: dict[str, Any], tokens: int) -> None:
    config = search_config(max_depth=2, max_step_tokens=5, max_solution_tokens=30, **options)
    assert entry_of(config).bound(config).tokens == tokens
