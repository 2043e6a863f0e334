"""Choices at a node: to draw by one of several policies, or to go into a child."""

from __future__ import annotations

import math
import random
from collections import Counter

import pytest

from search.strategies.tree.ab_mcts.arms import PolicyChoice, TreeArms, upper_bounds
from search.strategies.tree.ab_mcts.posteriors import GaussianPosterior
from search.tree import ROOT

SURE = GaussianPosterior(0.0, 1e12, 1e12, 1e-12)  # a prior whose draws are its mean, until it is replaced
TWO = ("policy", "policy_2")


def sure(mean: float) -> GaussianPosterior:
    return GaussianPosterior(mean, 1e12, 1e12, 1e-12)


def test_node_without_open_children_draws() -> None:
    arms = TreeArms(prior=GaussianPosterior(), policies=("",))
    arms.at(ROOT).groups[""].cont = sure(9.0)
    assert arms.choose(ROOT, {}, random.Random(1)) == ""


def test_higher_draw_decides_between_gen_and_cont() -> None:
    arms = TreeArms(prior=SURE, policies=("",))
    group = arms.at(ROOT).groups[""]
    group.gen, group.cont = sure(0.6), sure(0.4)
    assert arms.choose(ROOT, {5: ""}, random.Random(1)) == ""
    group.cont = sure(0.7)
    arms.at(ROOT).children.update({5: sure(0.3), 6: sure(0.8)})
    assert arms.choose(ROOT, {5: "", 6: "", 7: ""}, random.Random(1)) == 6


@pytest.mark.parametrize(("choice", "expected"), [(PolicyChoice.THOMPSON, "policy_2"), (PolicyChoice.UCB, "policy_2")])
def test_policy_is_chosen_by_what_it_drew_in_the_tree(choice: PolicyChoice, expected: str) -> None:
    arms = TreeArms(prior=GaussianPosterior(0.0, 1.0, 1.0, 1e-6), policies=TWO, policy_choice=choice)
    for _ in range(40):
        arms.record_policy("policy", 0.1)
        arms.record_policy("policy_2", 0.9)
    chosen = Counter(arms.choose(7, {}, random.Random(seed)) for seed in range(50))
    assert chosen.most_common(1)[0][0] == expected


def test_ucb_by_hand() -> None:
    bounds = upper_bounds({"a": [0.5, 0.7], "b": [0.9], "c": []})
    assert bounds["a"] == pytest.approx(0.6 + math.sqrt(2 * math.log(3) / 2)) == pytest.approx(1.648, abs=1e-3)
    assert bounds["b"] == pytest.approx(0.9 + math.sqrt(2 * math.log(3))) == pytest.approx(2.382, abs=1e-3)
    assert bounds["c"] == math.inf


def test_ucb_takes_each_policy_once_first() -> None:
    arms = TreeArms(prior=GaussianPosterior(), policies=TWO, policy_choice=PolicyChoice.UCB)
    assert arms.choose(ROOT, {}, random.Random(1)) == "policy"
    arms.record_policy("policy", 1.0)
    assert arms.choose(ROOT, {}, random.Random(1)) == "policy_2"


def test_stacked_policy_enters_only_what_it_drew() -> None:
    arms = TreeArms(prior=SURE, policies=TWO, policy_choice=PolicyChoice.STACK)
    node = arms.at(ROOT)
    node.policies["policy_2"] = sure(0.9)
    node.groups["policy_2"].cont = sure(0.5)
    node.children.update({1: sure(0.99), 2: sure(0.1)})
    assert arms.choose(ROOT, {1: "policy", 2: "policy_2"}, random.Random(1)) == 2
    assert arms.choose(ROOT, {1: "policy"}, random.Random(1)) == "policy_2"


def test_scores_go_to_the_arms_that_were_pulled() -> None:
    arms = TreeArms(prior=GaussianPosterior(), policies=TWO, policy_choice=PolicyChoice.STACK)
    arms.record_visit(ROOT, "policy", 0.8)
    arms.record_child(ROOT, 3, 0.8)
    arms.record_draw(3, "policy_2", 0.8)
    pulled = GaussianPosterior().after(0.8)
    root, below = arms.at(ROOT), arms.at(3)
    assert (root.groups["policy"].cont, root.groups["policy"].gen) == (pulled, GaussianPosterior())
    assert root.policies == {"policy": pulled, "policy_2": GaussianPosterior()}
    assert root.children == {3: pulled}
    assert (below.groups["policy_2"].gen, below.groups["policy_2"].cont) == (pulled, GaussianPosterior())
    assert below.groups["policy"].gen == GaussianPosterior()
