"""AB-MCTS-A: what a rollout draws, what it updates, and several policies as arms."""

from __future__ import annotations

import random
from dataclasses import astuple, replace
from typing import Any

import pytest
from pydantic import ValidationError

from search.protocols import SearchServices
from search.strategies.registry import build, search_config
from search.strategies.tree.ab_mcts.arms import PolicyChoice, after_all
from search.strategies.tree.ab_mcts.config import AbMctsConfig
from search.strategies.tree.ab_mcts.posteriors import GaussianPosterior, Posterior
from search.strategies.tree.ab_mcts.rollout import Search, rollout
from search.strategies.tree.ab_mcts.strategy import new_search
from search.tree import ROOT, Tree
from tests.fakes.policy import ScriptedPolicy
from tests.fakes.reward_model import ScriptedRewardModel, step_count
from tests.fakes.scripts import END_OF_CODE, CodeTable, HashedText, word_policy
from tests.fakes.services import code_services, word_services
from tests.fakes.words import PROBLEM, TOKENS, candidate, word
from tests.search.tree_checks import check_sums, shape


async def grow(services: SearchServices, seed: int = 1, **options: Any) -> Tree:
    config = search_config(strategy="ab_mcts", **{"candidates": 1, **options})
    return await build(config).search(PROBLEM, services, seed)


def started(services: SearchServices, candidates: int = 1) -> Search:
    return new_search(Tree(PROBLEM, seed=1), AbMctsConfig(candidates=candidates), services)


async def test_draw_goes_on_to_the_end_of_a_solution() -> None:
    policy = word_policy({(): ["a"], ("a",): ["b"], ("a", "b"): ["=7"]})
    tree = await grow(word_services(policy, {"a": 0.5, "b": 0.2, "=7": 0.6}), rollouts=1)
    assert [(word(n.step), n.visits, round(n.value_sum, 6)) for n in tree.nodes] == [
        ("", 1, 0.6), ("a", 1, 0.6), ("b", 1, 0.6), ("=7", 1, 0.6),
    ]  # fmt: skip
    assert (tree.answer, tree.cost.generated_tokens, tree.cost.requests) == ("7", 3 * TOKENS, 6)


def scores_of(posterior: Posterior, *scores: float) -> bool:
    """Return whether these are the scores that a posterior has had, rounding apart."""
    expected = astuple(after_all(GaussianPosterior(), scores))  # type: ignore[call-overload]
    return bool(astuple(posterior) == pytest.approx(expected))  # type: ignore[call-overload]


def always_draw(search: Search) -> None:
    """Have every rollout draw at the root."""
    search.arms.at(ROOT).groups[""].gen = GaussianPosterior(1e3, 1e12, 1e12, 1e-9)


async def test_rollout_updates_the_arms_that_it_pulled() -> None:
    policy = word_policy({(): ["a"], ("a",): ["=7", "=8"]})
    search = started(word_services(policy, {"a": 0.5, "=7": 0.6, "=8": -0.2}))
    await rollout(search, 0)
    root, first = search.arms.at(ROOT), search.arms.at(1)
    assert scores_of(root.groups[""].gen, 0.8) and scores_of(first.groups[""].gen, 0.8)
    # the child's arm begins with its own score, (1 + 0.5) / 2, and goes on with that of the end, (1 + 0.6) / 2
    assert scores_of(root.children[1], 0.75, 0.8) and scores_of(first.children[2], 0.8)
    search.arms.record_visit(ROOT, "", 1e6)  # the next rollout goes into the child, where nothing but drawing is left
    await rollout(search, 1)
    assert [word(node.step) for node in search.tree.nodes] == ["", "a", "=7", "=8"]
    assert scores_of(root.groups[""].gen, 0.8) and scores_of(root.groups[""].cont, 1e6, 0.4)
    assert scores_of(root.children[1], 0.75, 0.8, 0.4)
    assert scores_of(first.groups[""].gen, 0.8, 0.4) and scores_of(first.groups[""].cont)


async def test_best_of_the_candidates_goes_on() -> None:
    policy = word_policy({(): ["a", "b"], ("b",): ["=7", "=8"]})
    search = started(word_services(policy, {"a": -0.5, "b": 0.5, "=7": 0.2, "=8": 0.9}), candidates=2)
    await rollout(search, 0)
    assert [(word(node.step), node.visits) for node in search.tree.nodes] == [
        ("", 1), ("a", 0), ("b", 1), ("=7", 0), ("=8", 1),
    ]  # fmt: skip
    root, best = search.arms.at(ROOT), search.arms.at(2)
    assert scores_of(root.groups[""].gen, 0.95) and scores_of(best.groups[""].gen, 0.95)
    assert scores_of(root.children[1], 0.25) and scores_of(root.children[2], 0.75, 0.95)
    assert scores_of(best.children[3], 0.6) and scores_of(best.children[4], 0.95)


async def test_value_of_a_candidate_counts_before_its_number() -> None:
    policy = word_policy({(): ["=7", "=7", "=8"]})
    tree = await grow(word_services(policy, {"=7": 0.1, "=8": 0.2}), rollouts=1, candidates=3)
    assert [(word(node.step), node.multiplicity, node.visits) for node in tree.nodes[1:]] == [
        ("=7", 2, 0),
        ("=8", 1, 1),
    ]


async def test_step_that_is_drawn_again_has_its_score_once() -> None:
    search = started(word_services(word_policy({(): ["a", "a"], ("a",): ["=7", "=8"]}), {"a": 0.5, "=8": 0.6}))
    always_draw(search)
    await rollout(search, 0)
    await rollout(search, 1)
    assert [(word(node.step), node.multiplicity) for node in search.tree.nodes[1:]] == [("a", 2), ("=7", 1), ("=8", 1)]
    assert scores_of(search.arms.at(ROOT).children[1], 0.75, 0.5, 0.8)


async def test_most_frequent_candidate_goes_on_without_scores() -> None:
    policy = word_policy({(): ["!", "a", "b", "b", "!", "!"], ("b",): ["=7"] * 6})
    tree = await grow(word_services(policy, graded=True), rollouts=1, candidates=6)
    assert [(word(node.step), node.multiplicity) for node in tree.nodes[1:]] == [
        ("!", 3),
        ("a", 1),
        ("b", 2),
        ("=7", 6),
    ]
    assert tree.nodes[4].parent == 3 and tree.is_solved


async def test_draw_until_score_is_one_step_that_was_scored() -> None:
    policy = word_policy({(): ["a", "b", "=7"]})
    tree = await grow(word_services(policy, {"a": 0.1}), rollouts=1, draw_until="score")
    assert [word(node.step) for node in tree.nodes] == ["", "a"]
    assert tree.nodes[ROOT].value_sum == pytest.approx(0.1)
    policy = word_policy({(): ["a"], ("a",): ["=7"]})
    tree = await grow(word_services(policy, graded=True), rollouts=1, draw_until="score")  # no step has a score
    assert [word(node.step) for node in tree.nodes] == ["", "a", "=7"] and tree.is_solved


async def test_finished_solutions_are_not_entered() -> None:
    policy = word_policy({(): ["=7", "=8", "=9"]})
    tree = await grow(word_services(policy, {"=7": 0.9}), rollouts=3)
    assert [(node.parent, word(node.step)) for node in tree.nodes[1:]] == [(0, "=7"), (0, "=8"), (0, "=9")]


async def test_program_states_its_answer_only_once() -> None:
    policy = ScriptedPolicy(CodeTable({(): [f"print(7){END_OF_CODE}"]}))
    tree = await grow(code_services(policy, {"print(7)": 1.0}, graded=True), rollouts=4)
    assert [node.answer for node in tree.nodes] == [None, None, "7"]
    assert (tree.nodes[ROOT].visits, tree.nodes[1].multiplicity, tree.nodes[2].multiplicity) == (4, 4, 1)
    assert tree.nodes[ROOT].value_sum == 4.0  # every draw of the program counts with the answer that is there
    assert sum(request.codes == ("print(7)",) for request in policy.requests) == 1


async def test_failed_step_scores_nothing_where_it_was_drawn() -> None:
    search = started(word_services(word_policy({(): ["!"]}), {}))
    await rollout(search, 0)
    await rollout(search, 1)  # draws the same again
    assert scores_of(search.arms.at(ROOT).groups[""].gen, 0.0, 0.0)
    assert (search.tree.nodes[ROOT].visits, search.tree.nodes[ROOT].q, search.tree.nodes[1].visits) == (2, -1.0, 1)


async def test_policy_that_returns_nothing_ends_the_rollout() -> None:
    tree = await grow(word_services(ScriptedPolicy(lambda request: [])), rollouts=2)
    assert (len(tree.nodes), tree.nodes[ROOT].visits, tree.nodes[ROOT].q) == (1, 2, -1.0)
    assert tree.failures == {"no_candidate": 2}
    one = ScriptedPolicy(lambda request: [candidate("a")] if not request.words else [])
    tree = await grow(word_services(one, {"a": 0.5}), rollouts=1)
    assert (word(tree.nodes[1].step), tree.nodes[1].value_sum) == ("a", -1.0)  # what its score says, it led to nothing


@pytest.mark.parametrize("code", [True, False])
@pytest.mark.parametrize("parallel", [1, 4])
async def test_values_of_every_node_are_those_below_it(code: bool, parallel: int) -> None:
    for seed in range(5):
        make = code_services if code else word_services
        services = make(ScriptedPolicy(HashedText(code), random.Random(seed)), graded=True)  # type: ignore[operator]
        tree = await grow(services, seed, rollouts=12, parallel_rollouts=parallel, max_depth=6)
        check_sums(tree)
        assert tree.nodes[ROOT].visits == 12


async def test_equal_seeds_grow_equal_trees() -> None:
    def services(delays: int) -> SearchServices:
        return code_services(ScriptedPolicy(HashedText(True), random.Random(delays)), {"a = 1": 1.0})

    first, again = [await grow(services(delays), 1, rollouts=10) for delays in (1, 2)]
    assert shape(first) == shape(again) != shape(await grow(services(1), 2, rollouts=10))


async def test_every_draw_at_a_node_has_a_seed_of_its_own() -> None:
    policy = ScriptedPolicy(HashedText(False), random.Random(1))
    await grow(word_services(policy, {}), rollouts=20, parallel_rollouts=5)
    seeds = [request.seed for request in policy.requests]
    assert len(set(seeds)) == len(seeds) >= 20


async def test_budget_ends_the_search_between_draws() -> None:
    policy = word_policy({(): ["a"], ("a",): ["b"], ("a", "b"): ["=7"]})
    tree = await grow(word_services(policy, {}), rollouts=50, budget_tokens=2 * TOKENS)
    assert (tree.nodes[ROOT].visits, tree.cost.generated_tokens) == (1, 3 * TOKENS)


async def test_error_of_one_rollout_ends_the_others() -> None:
    silent = ScriptedRewardModel(step_count, is_silent=True)
    policy = word_policy({(): ["a", "b", "c"]}, fails_at=2)  # while the first rollout waits for the score of its step
    with pytest.raises(ConnectionError, match="engine lost"):
        await grow(word_services(policy, reward_model=silent), rollouts=9, parallel_rollouts=2)
    assert (len(silent.requests), silent.active) == (1, 0)


def several(policies: int = 2, **rewards: float) -> SearchServices:
    """Services whose first policy always answers 8, the others 7, 6 and so on."""
    first, *others = (word_policy({(): [f"={8 - place}"] * 99}) for place in range(policies))
    return replace(word_services(first, {f"={n[1]}": reward for n, reward in rewards.items()}), policies=tuple(others))


@pytest.mark.parametrize("choice", ["thompson", "ucb", "stack"])
async def test_better_policy_draws_most(choice: str) -> None:
    tree = await grow(several(a8=-0.9, a7=0.9), rollouts=40, policy_choice=choice)
    drawn = {node.action: node.multiplicity for node in tree.nodes[1:]}
    assert set(drawn) == {"policy", "policy_2"} and drawn["policy_2"] > 25 and tree.answer == "7"


async def test_equal_steps_of_two_policies_are_two_nodes() -> None:
    services = word_services(word_policy({(): ["=7"] * 9}), {"=7": 0.5})
    services = replace(services, policies=(word_policy({(): ["=7"] * 9}),))
    tree = await grow(services, rollouts=8, policy_choice="ucb")
    assert sorted((node.action, word(node.step)) for node in tree.nodes[1:]) == [("policy", "=7"), ("policy_2", "=7")]
    assert sum(node.multiplicity for node in tree.nodes[1:]) == 8


async def test_draw_goes_on_from_the_step_of_its_policy() -> None:
    table = {(): ["a"] * 9, ("a",): ["=7"] * 9}
    services = replace(word_services(word_policy(table), {}), policies=(word_policy(table),))
    search = new_search(Tree(PROBLEM), AbMctsConfig(candidates=1, policy_choice=PolicyChoice.UCB), services)
    always_draw(search)
    await rollout(search, 0)
    await rollout(search, 1)
    assert [(node.parent, word(node.step), node.action) for node in search.tree.nodes[1:]] == [
        (0, "a", "policy"), (1, "=7", "policy"), (0, "a", "policy_2"), (3, "=7", "policy_2"),
    ]  # fmt: skip


async def test_one_policy_leaves_steps_without_an_action() -> None:
    tree = await grow(word_services(word_policy({(): ["=7"] * 9}), {}), rollouts=2)
    assert {node.action for node in tree.nodes} == {""}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"parallel_rollouts": 6}, "less than or equal to 5"),
        ({"posterior": "poisson"}, "'gaussian' or 'beta'"),
        ({"prior_variance": 0}, "greater than 0"),
        ({"exploration": 1.0}, "strategy 'ab_mcts' has no option exploration"),
    ],
)
def test_impossible_options_are_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        search_config(strategy="ab_mcts", **options)


async def test_draws_go_where_they_pay() -> None:
    """A first step that always leads to a correct answer gets more rollouts than one that never does."""
    table = {(): ["good", "bad"] * 40, ("good",): ["=7"] * 99, ("bad",): ["=8"] * 99}
    tree = await grow(word_services(word_policy(table), graded=True), rollouts=40, posterior="beta")
    visits = {word(tree.nodes[child].step): tree.nodes[child].visits for child in tree.nodes[ROOT].children}
    assert visits["good"] > 1.5 * visits["bad"]
