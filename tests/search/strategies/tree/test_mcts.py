"""Monte-Carlo tree search: formulas by hand, and a golden tree from a scripted policy, node by node."""

from __future__ import annotations

import math

import pytest

from search.core.expansion import squash
from search.core.values import back_up, choose_answer, terminal_value
from search.data import Problem, Step, StepStatus
from search.protocols import SearchServices
from search.strategies.registry import search_config
from search.strategies.tree.mcts import Mcts
from search.strategies.tree.uct import draws_due, select, uct
from search.tree import ROOT, Node, Tree
from tests.fakes.scripts import word_policy
from tests.fakes.services import word_services
from tests.fakes.words import PROBLEM, word


def rows(tree: Tree) -> list[tuple[int, str | None, int, float, bool | None, int]]:
    return [
        (n.parent, (n.step.answer or n.step.code) if n.step else None, n.visits, n.value_sum, n.correct, n.multiplicity)
        for n in tree.nodes
    ]


def test_uct_by_hand() -> None:
    child = Node(parent=0, step=None, depth=1, visits=4, value_sum=2.0)
    parent = Node(parent=-1, step=None, depth=0, visits=10)
    assert uct(child, parent, 2.0) == pytest.approx(0.5 + 2.0 * math.sqrt(math.log(10) / 4))
    assert uct(child, parent, 2.0) == pytest.approx(2.0174, abs=1e-4)


@pytest.mark.parametrize(
    ("progressive_widening", "visits", "others", "draws"),
    [(None, 9, 0, 1), (0.5, 0, 0, 1), (0.5, 3, 0, 1), (0.5, 4, 0, 2), (0.5, 3, 1, 2), (0.5, 9, 0, 3), (1.0, 3, 0, 3)],
)
def test_draws_due_by_hand(progressive_widening: float | None, visits: int, others: int, draws: int) -> None:
    assert draws_due(Node(parent=0, step=None, depth=1, visits=visits), progressive_widening, others) == draws


def test_a_score_counts_as_the_first_value() -> None:
    node = Node(parent=0, step=None, depth=1, score=0.5)
    assert (node.q, node.weight) == (0.5, 1)
    node.visits, node.value_sum = 1, 1.0
    assert (node.q, node.weight) == (0.75, 2)


def test_back_up_adds_one_visit_and_the_value_to_every_ancestor() -> None:
    tree = Tree(Problem(id="p", question="q", answer="1", source="t"))
    first = tree.add(ROOT, Step("a"))
    second = tree.add(first, Step("b"))
    other = tree.add(ROOT, Step("c"))
    back_up(tree, second, -1.0)
    back_up(tree, second, 1.0)
    back_up(tree, other, 1.0)
    assert [(n.visits, n.value_sum) for n in tree.nodes] == [(3, 1.0), (2, 0.0), (2, 0.0), (1, 1.0)]


def test_unvisited_children_go_first_or_stand_at_zero() -> None:
    tree = Tree(Problem(id="p", question="q", answer="1", source="t"))
    seen, unseen = tree.add(ROOT, Step("a")), tree.add(ROOT, Step("b"))
    back_up(tree, seen, 1.0)
    assert select(tree, ROOT, 0.0, "inf") == unseen
    assert select(tree, ROOT, 0.0, "zero") == seen


def test_failed_children_are_never_entered() -> None:
    tree = Tree(Problem(id="p", question="q", answer="1", source="t"))
    tree.add(ROOT, Step("a", status=StepStatus.CODE_ERROR))
    assert select(tree, ROOT, 2.0, "inf") is None


def test_terminal_values() -> None:
    final = Step("x", status=StepStatus.FINAL, answer="1")
    assert terminal_value(Node(0, final, 1, correct=True)) == 1.0
    assert terminal_value(Node(0, final, 1, correct=False)) == -1.0
    assert terminal_value(Node(0, final, 1, score=0.3)) == 0.3
    assert terminal_value(Node(0, Step("x", status=StepStatus.TOO_DEEP), 1)) == -1.0


async def test_golden_tree(problem: Problem, services: SearchServices) -> None:
    tree = await Mcts(search_config(rollouts=4, candidates=3)).search(problem, services, seed=11)
    assert rows(tree) == [
        (-1, None, 4, 0.0, None, 1),
        (0, "a = 3", 3, 1.0, None, 1),  # rollouts 1, 3, 4; before the last 2 * sqrt(ln 3 / 2) = 1.48 against …
        (0, "a = 4", 1, -1.0, None, 1),  # … -1 + 2 * sqrt(ln 3) = 1.10
        (0, "raise", 1, -1.0, None, 1),  # failed: a leaf of value -1, not backed up
        (1, "print(7)", 2, 2.0, None, 2),  # drawn twice, merged
        (1, "print(12)", 1, -1.0, None, 1),
        (4, "7", 2, 2.0, True, 1),
        (2, "print(1)", 1, -1.0, None, 2),
        (2, "raise print(2)", 1, -1.0, None, 1),
        (7, "1", 1, -1.0, False, 1),
        (5, "12", 1, -1.0, False, 1),
    ]
    assert tree.answer == "7"
    assert tree.failures == {"exception": 2}
    assert tree.cost.requests == 6
    assert tree.cost.executions == 7


async def test_a_widened_tree_by_hand() -> None:
    """Two candidates a draw, and a second draw at the root when it was visited twice: ``widen`` 1."""
    policy = word_policy({(): ["a", "=1", "a", "=2"], ("a",): ["=3", "=4"]})
    services = word_services(policy, {"a": 0.5, "=1": 0.4, "=2": 0.9, "=3": 0.1, "=4": 0.2})
    tree = await Mcts(search_config(rollouts=3, candidates=2, progressive_widening=1.0)).search(PROBLEM, services, 1)
    assert policy.requests == {(): 2, ("a",): 1}
    assert [(n.parent, word(n.step), n.visits, round(n.value_sum, 2), n.multiplicity) for n in tree.nodes] == [
        (-1, "", 3, 1.5, 1),
        (0, "a", 1, 0.2, 2),  # rollout 1: a before =1; drawn again, and counted, by rollout 3
        (0, "=1", 1, 0.4, 1),  # rollout 2: 0.4 + 2 * sqrt(ln 1 / 1) against 0.35
        (1, "=3", 0, 0, 1),
        (1, "=4", 1, 0.2, 1),
        (0, "=2", 1, 0.9, 1),  # rollout 3: the root has 2 visits, so it is drawn from again
    ]
    assert tree.answer == "2"


async def test_the_tree_does_not_depend_on_when_answers_come(
    problem: Problem, services: SearchServices, shuffled_services: SearchServices
) -> None:
    strategy = Mcts(search_config(rollouts=4, candidates=3))
    one, other = await strategy.search(problem, services, 11), await strategy.search(problem, shuffled_services, 11)
    assert rows(one) == rows(other)
    assert services.policy.calls == shuffled_services.policy.calls  # type: ignore[attr-defined]


async def test_seeds_follow_the_place_in_the_tree(problem: Problem, services: SearchServices) -> None:
    await Mcts(search_config(rollouts=4, candidates=3)).search(problem, services, 11)
    calls = services.policy.calls  # type: ignore[attr-defined]
    assert len({seed for _, _, seed in calls}) == len(calls)
    again = SearchServices(
        policy=type(services.policy)(services.policy.table),
        executor=services.executor,
        format=services.format,
        grader=services.grader,
    )  # type: ignore
    await Mcts(search_config(rollouts=4, candidates=3)).search(problem, again, 12)
    assert not {seed for *_, seed in calls} & {seed for *_, seed in again.policy.calls}  # type: ignore[attr-defined]


async def test_blind_search_answers_by_score(problem: Problem, blind_services: SearchServices) -> None:
    tree = await Mcts(search_config(rollouts=4, candidates=3)).search(problem.without_answer(), blind_services, 11)
    assert all(node.correct is None for node in tree.nodes)
    assert tree.nodes[1].score == pytest.approx(squash(0.2, 1.0))
    assert tree.nodes[2].score == pytest.approx(math.tanh(0.8))
    assert tree.cost.scored_tokens > 0
    scored = {tree.nodes[i].step.answer: tree.nodes[i].score for i in tree.terminals()}  # type: ignore[union-attr]
    assert tree.answer == max(scored, key=lambda key: scored[key])  # type: ignore[arg-type, return-value]


async def test_first_finished_answer_drops_the_others_in_the_released_preset(
    problem: Problem, services: SearchServices
) -> None:
    config = search_config(preset="released", rollouts=1, candidates=3)
    assert (config.unvisited_value, config.finish_first, config.candidates) == ("zero", True, 3)
    tree = await Mcts(config).search(problem, services, 1)
    assert tree.is_solved


def test_presets_fill_in_what_is_not_given() -> None:
    paper, released = search_config(preset="paper"), search_config(preset="released", rollouts=5)
    assert (paper.candidates, paper.rollouts, paper.keep_failed) == (8, 16, False)
    assert (released.candidates, released.rollouts) == (12, 5)


async def test_depth_limit_ends_a_path(problem: Problem, services: SearchServices) -> None:
    tree = await Mcts(search_config(rollouts=1, candidates=3, max_depth=2)).search(problem, services, 1)
    too_deep = [n for n in tree.nodes if n.step and n.step.status is StepStatus.TOO_DEEP]
    assert [n.step.code for n in too_deep if n.step] == ["print(7)", "print(12)"]
    assert (tree.nodes[ROOT].visits, tree.nodes[ROOT].value_sum) == (1, -1.0)


async def test_a_budget_of_tokens_ends_a_search(problem: Problem, services: SearchServices) -> None:
    tree = await Mcts(search_config(rollouts=50, candidates=3, budget_tokens=1)).search(problem, services, 1)
    assert tree.nodes[ROOT].visits == 1


def test_weighted_answer_adds_up_equal_answers() -> None:
    tree = Tree(Problem(id="p", question="q", answer="1", source="t"))
    for text, score in (("5", 0.9), ("0.5", 0.2), ("1/2", 0.3)):
        index = tree.add(ROOT, Step(text, status=StepStatus.FINAL, answer=text))
        tree.nodes[index].score = score
    assert choose_answer(tree, "best") == "5"
    assert choose_answer(tree, "weighted") == "0.5"  # 0.6 + 0.65 > 0.95
