"""Monte-Carlo tree search: formulas by hand, and a golden tree from a scripted policy, node by node."""

from __future__ import annotations

import math
from dataclasses import replace
from inspect import cleandoc

import pytest
from pydantic import ValidationError

from search.core.values import back_up, choose_answer, terminal_value
from search.data import Problem, Step, StepStatus
from search.protocols import SearchServices
from search.reward_models import squash
from search.strategies.registry import search_config
from search.strategies.tree.mcts import Mcts
from search.strategies.tree.uct import draws_due, select, uct
from search.tree import ROOT, Node, Tree
from tests.fakes.drawing import draw
from tests.fakes.policy import ScriptedPolicy
from tests.fakes.scripts import CodeTable, word_policy
from tests.fakes.services import word_services
from tests.fakes.words import PROBLEM
from tests.search.conftest import TABLE


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


def test_score_counts_as_the_first_value() -> None:
    node = Node(parent=0, step=None, depth=1, logit=math.atanh(0.5))
    assert (node.q, node.weight) == (pytest.approx(0.5), 1)
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


def test_unvisited_children_go_first_or_count_as_zero() -> None:
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
    assert terminal_value(Node(0, final, 1, logit=0.3)) == squash(0.3, 1.0)
    assert terminal_value(Node(0, Step("x", status=StepStatus.TOO_DEEP), 1)) == -1.0


async def test_golden_tree(problem: Problem, services: SearchServices) -> None:
    """Each of four rollouts ends at an answer and backs up its grade: +1 for 7, -1 for others. Failed code is a leaf of
    value -1 that no rollout enters. Rollouts 1 and 2 visit a = 3 and a = 4 once each, because unvisited children go first.
    Rollout 3 returns to a = 3 and there tries print(12). Then a = 3 has 0 + 2 * sqrt(ln 3 / 2) = 1.48 against
    -1 + 2 * sqrt(ln 3) = 1.10 of a = 4: rollout 4 enters it once more, now by print(7).
    """
    tree = await Mcts(search_config(rollouts=4, candidates=3)).search(problem, services, seed=11)
    assert draw(tree) == cleandoc("""
        0   question              N 4  Q +0.000
        1   ├─ a = 3              N 3  Q +0.333
        4   │  ├─ print(7) x2     N 2  Q +1.000
        6   │  │  └─ =7           N 2  Q +1.000  correct     *
        5   │  └─ print(12)       N 1  Q -1.000
        10  │     └─ =12          N 1  Q -1.000  incorrect
        2   ├─ a = 4              N 1  Q -1.000
        7   │  ├─ print(1) x2     N 1  Q -1.000
        9   │  │  └─ =1           N 1  Q -1.000  incorrect
        8   │  └─ raise print(2)  N 1  Q -1.000  code_error
        3   └─ raise              N 1  Q -1.000  code_error
    """)
    assert tree.answer == "7"
    assert tree.failures == {"exception": 2}
    assert tree.cost.requests == 6
    assert tree.cost.executions == 7


async def test_golden_tree_with_progressive_widening() -> None:
    """Two candidates a draw, and with widening 1 a second draw at the root once it was visited twice. Rollout 1 prefers a
    (reward 0.5) to =1 (0.4) and ends at =4. Rollout 2 ends at =1: 0.4 against Q 0.35 of a, both + 2 * sqrt(ln 1 / 1) = 0.
    Rollout 3 draws again: a was drawn before and is only counted; =2 is new, and its reward is the best.
    """
    policy = word_policy({(): ["a", "=1", "a", "=2"], ("a",): ["=3", "=4"]})
    services = word_services(policy, {"a": 0.5, "=1": 0.4, "=2": 0.9, "=3": 0.1, "=4": 0.2})
    tree = await Mcts(search_config(rollouts=3, candidates=2, progressive_widening=1.0)).search(PROBLEM, services, 1)
    assert policy.counts == {(): 2, ("a",): 1}
    assert draw(tree) == cleandoc("""
        0  question  N 3  Q +0.500
        1  ├─ a x2   N 1  Q +0.350  r +0.500
        3  │  ├─ =3                 r +0.100
        4  │  └─ =4  N 1  Q +0.200  r +0.200
        2  ├─ =1     N 1  Q +0.400  r +0.400
        5  └─ =2     N 1  Q +0.900  r +0.900  *
    """)
    assert tree.answer == "2"


async def test_tree_does_not_depend_on_when_answers_come(
    problem: Problem, services: SearchServices, shuffled_services: SearchServices
) -> None:
    strategy = Mcts(search_config(rollouts=4, candidates=3))
    tree, shuffled = await strategy.search(problem, services, 11), await strategy.search(problem, shuffled_services, 11)
    assert draw(tree) == draw(shuffled)
    assert [(n.step, n.value_sum) for n in tree.nodes] == [(n.step, n.value_sum) for n in shuffled.nodes]
    assert services.policy.requests == shuffled_services.policy.requests  # type: ignore[attr-defined]


async def test_seeds_follow_the_place_in_the_tree(problem: Problem, services: SearchServices) -> None:
    seeds = []
    for seed in (11, 12):
        policy = ScriptedPolicy(CodeTable(TABLE))
        await Mcts(search_config(rollouts=4, candidates=3)).search(problem, replace(services, policy=policy), seed)
        seeds.append({request.seed for request in policy.requests})
        assert len(seeds[-1]) == len(policy.requests)
    assert not seeds[0] & seeds[1]


async def test_blind_search_answers_by_score(problem: Problem, blind_services: SearchServices) -> None:
    tree = await Mcts(search_config(rollouts=4, candidates=3)).search(problem.without_answer(), blind_services, 11)
    assert all(node.correct is None for node in tree.nodes)
    assert tree.nodes[1].score == pytest.approx(squash(0.2, 1.0))
    assert tree.nodes[2].score == pytest.approx(math.tanh(0.8))
    assert tree.cost.scored_tokens > 0
    scored = {tree.nodes[i].step.answer: tree.nodes[i].score for i in tree.terminals()}  # type: ignore[union-attr]
    assert tree.answer == max(scored, key=lambda key: scored[key])  # type: ignore[arg-type, return-value]


async def test_released_preset_keeps_the_first_answer_only(problem: Problem, services: SearchServices) -> None:
    config = search_config(preset="released", rollouts=1, candidates=3)
    assert (config.unvisited_value, config.finish_first, config.candidates) == ("zero", True, 3)
    tree = await Mcts(config).search(problem, services, 1)
    assert tree.is_solved


async def test_finished_solution_is_not_entered_again() -> None:
    # 1: =7, +1. 2: =8, -1. 3: nothing is left to enter, so the tree ends; nothing is backed up.
    config = search_config(rollouts=9, candidates=2, reenter=False)
    tree = await Mcts(config).search(PROBLEM, word_services(word_policy({(): ["=7", "=8"]}), graded=True), 1)
    assert [(node.visits, node.value_sum) for node in tree.nodes] == [(2, 0.0), (1, 1.0), (1, -1.0)]


async def test_dead_end_is_backed_up_once_when_it_is_not_entered_again() -> None:
    # 1: a, below which everything failed: -1, and a is closed. 2: =7, +1. 3: nothing is left.
    config = search_config(rollouts=9, candidates=2, reenter=False)
    policy = word_policy({(): ["a", "=7"], ("a",): ["!", "!!"]})
    tree = await Mcts(config).search(PROBLEM, word_services(policy, graded=True), 1)
    assert [(node.visits, node.value_sum) for node in tree.nodes[:3]] == [(2, 0.0), (1, -1.0), (1, 1.0)]


def test_back_up_at_creation_is_refused_with_reentry() -> None:
    with pytest.raises(ValidationError, match="back_up_finished: at_creation needs reenter: false"):
        search_config(back_up_finished="at_creation")


def test_presets_fill_in_missing_options() -> None:
    paper, released = search_config(preset="paper"), search_config(preset="released", rollouts=5)
    assert (paper.candidates, paper.rollouts, paper.keep_failed) == (8, 16, False)
    assert (released.candidates, released.rollouts) == (12, 5)


async def test_depth_limit_ends_a_path(problem: Problem, services: SearchServices) -> None:
    tree = await Mcts(search_config(rollouts=1, candidates=3, max_depth=2)).search(problem, services, 1)
    too_deep = [n for n in tree.nodes if n.step and n.step.status is StepStatus.TOO_DEEP]
    assert [n.step.code for n in too_deep if n.step] == ["print(7)", "print(12)"]
    assert (tree.nodes[ROOT].visits, tree.nodes[ROOT].value_sum) == (1, -1.0)


async def test_search_ends_when_the_budget_is_exhausted(problem: Problem, services: SearchServices) -> None:
    tree = await Mcts(search_config(rollouts=50, candidates=3, budget_tokens=1)).search(problem, services, 1)
    assert tree.nodes[ROOT].visits == 1


def test_weighted_answer_adds_up_equal_answers() -> None:
    tree = Tree(Problem(id="p", question="q", answer="1", source="t"))
    for text, score in (("5", 0.9), ("0.5", 0.2), ("1/2", 0.3)):
        index = tree.add(ROOT, Step(text, status=StepStatus.FINAL, answer=text))
        tree.nodes[index].logit = math.atanh(score)
    assert choose_answer(tree, "best").answer == "5"
    assert choose_answer(tree, "weighted").answer == "0.5"  # 0.6 + 0.65 > 0.95
