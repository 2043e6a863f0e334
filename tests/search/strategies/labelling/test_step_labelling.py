"""Searches for labels: rewards beside the labels, and the need for a grader."""

from __future__ import annotations

from dataclasses import replace

import pytest

from search.strategies.labelling.monte_carlo_labels import COMPLETION
from search.strategies.registry import build, search_config
from search.tree import Tree
from tests.fakes.policy import ScriptedPolicy
from tests.fakes.reward_model import ScriptedRewardModel, step_count
from tests.fakes.scripts import completions_by_word
from tests.fakes.services import word_services
from tests.fakes.words import PROBLEM

SOLUTIONS = ("a b c =8", "a b d =8", "a b c =8", "e =7")


def labels(tree: Tree) -> dict[tuple[str, ...], tuple[float | None, int]]:
    """Return the label and number of completions of each node, by the texts down to it."""
    return {
        tuple(step.text.strip() for step in tree.steps(i)): (node.label, node.completions)
        for i, node in enumerate(tree.nodes)
        if node.step is not None
    }


async def test_reward_model_scores_every_step() -> None:
    policy = ScriptedPolicy(completions_by_word({}, SOLUTIONS))
    services = word_services(policy, graded=True, reward_model=ScriptedRewardModel(step_count))
    tree = await build(search_config(strategy="first_error_search", solutions=4)).search(PROBLEM, services, 1)
    completed = {i for i, node in enumerate(tree.nodes) if node.action == COMPLETION}
    finished = [path for end in tree.terminals() if completed.isdisjoint(path := tree.path(end))]
    assert len(finished) == 3
    assert {i for path in finished for i in path} == {i for i, n in enumerate(tree.nodes) if n.score is not None}


@pytest.mark.parametrize("strategy", ["math_shepherd", "first_error_search"])
async def test_labels_are_refused_without_a_grader(strategy: str) -> None:
    blind = replace(word_services(ScriptedPolicy(completions_by_word({}, SOLUTIONS))), grader=None)
    with pytest.raises(ValueError, match="need a grader"):
        await build(search_config(strategy=strategy, solutions=4)).search(PROBLEM, blind, 1)
