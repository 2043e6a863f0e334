"""Best-of-N: answers by score and by vote, rewards of all steps, and a budget that is drawn up to."""

from __future__ import annotations

from collections.abc import Sequence
from inspect import cleandoc

import pytest

from search.data import Candidate
from search.strategies.registry import search_config
from search.strategies.sampling.best_of_n import BestOfN
from search.strategies.sampling.sampling import IndependentSampling
from search.tree import Tree
from tests.fakes.drawing import draw
from tests.fakes.policy import Request, ScriptedPolicy
from tests.fakes.reward_model import ScriptedRewardModel, word_rewards
from tests.fakes.scripts import CodeTable, word_policy
from tests.fakes.services import code_services, word_services
from tests.fakes.words import PROBLEM
from tests.search.tree_checks import shape

LINES = ["a =7", "b =8", "a =7", "c !", "b =9"]
REWARDS = {"a": -0.6, "b": 0.4, "=7": 0.5, "=8": 0.6, "=9": 0.1}


async def answered(rewards: dict[str, float] | None = REWARDS, **fields: object) -> Tree:
    config = search_config(strategy="best_of_n", candidates=5, **fields)  # type: ignore[arg-type]
    return await BestOfN(config).search(
        PROBLEM.without_answer(), word_services(word_policy({}, lines=LINES), rewards), 1
    )


async def test_golden_tree() -> None:
    """Five solutions are drawn by one request, two of them equal. The reward model reads whole solutions, so that only
    ends have a reward: the best is =8. The solution that was cut off has no answer and is not scored. Nothing is graded
    and there are no rollouts: no N, no Q.
    """
    tree = await answered()
    assert draw(tree) == cleandoc("""
        0  question
        1  ├─ a x2
        2  │  └─ =7 x2  r +0.500
        3  ├─ b
        4  │  └─ =8     r +0.600             *
        5  ├─ c
        6  │  └─ !                no_answer
        7  └─ b
        8     └─ =9     r +0.100
    """)
    assert tree.answer == "8"


async def test_answers_of_best_and_weighted_vote_by_hand() -> None:
    assert (await answered()).answer == "8"
    assert (await answered(answer_rule="weighted")).answer == "7"  # 2 * 0.75 against 0.8 and 0.55


async def test_vote_is_the_majority_without_a_reward_model() -> None:
    tree = await answered(None, answer_rule="weighted")
    assert (tree.strategy, tree.answer) == ("best_of_n", "7")


@pytest.mark.parametrize(("aggregation", "scored"), [("last", 3), ("min", 6), ("mean", 6), ("product", 6)])
async def test_steps_are_scored_when_the_aggregation_reads_them(aggregation: str, scored: int) -> None:
    """Three distinct solutions of two steps have an answer; one request scores them."""
    reward_model = ScriptedRewardModel(word_rewards(REWARDS))
    services = word_services(word_policy({}, LINES), reward_model=reward_model)
    config = search_config(strategy="best_of_n", candidates=5, step_aggregation=aggregation)
    tree = await BestOfN(config).search(PROBLEM.without_answer(), services, 1)
    assert [len(states) for states in reward_model.requests] == [scored]
    assert tree.answer == "8"  # its rewards 0.4 and 0.6 are no worse than any other in every way


async def test_weak_step_counts_in_some_aggregations() -> None:
    rewards = {**REWARDS, "=7": 0.95}
    assert (await answered(rewards)).answer == "7"
    assert (await answered(rewards, step_aggregation="min")).answer == "8"
    assert (await answered(rewards, step_aggregation="product")).answer == "8"  # 0.2 * 0.975 against 0.7 * 0.8


async def test_solutions_are_those_of_sampling() -> None:
    config = search_config(candidates=5)
    trees = [
        await strategy(config).search(PROBLEM.without_answer(), word_services(word_policy({}, lines=LINES), REWARDS), 1)
        for strategy in (BestOfN, IndependentSampling)
    ]
    assert shape(trees[0]) == shape(trees[1])
    assert (trees[0].answer, trees[1].answer) == ("8", None)


@pytest.mark.parametrize(
    ("budget", "requests", "solutions"),
    [
        (1, [1], 1),  # never less than one; it is 20 tokens long
        (20, [1], 1),
        (21, [1, 1], 2),
        (60, [2, 1], 3),  # 60 hold two of at most 30, 20 left hold one
        (1000, [5], 5),
    ],
)
async def test_no_request_is_sent_when_the_budget_is_exhausted(
    budget: int, requests: list[int], solutions: int
) -> None:
    policy = word_policy({}, LINES)
    config = search_config(
        strategy="best_of_n", candidates=5, budget_tokens=budget, max_solution_tokens=20, max_step_tokens=10
    )
    tree = await BestOfN(config).search(PROBLEM.without_answer(), word_services(policy, REWARDS), 1)
    assert [request.n for request in policy.requests] == requests
    assert tree.cost.generated_tokens == 20 * solutions
    assert sum(node.multiplicity for node in tree.nodes[1:] if not node.children) == solutions


async def test_solutions_of_several_requests_are_merged() -> None:
    """Programs this time. The third request brings what the first had, and its answer is not stated again."""
    lines = [
        "a = 3<end_of_step>print(7)<end_of_code>",
        "print(8)<end_of_code>",
        "a = 3<end_of_step>print(7)<end_of_code>",
    ]

    def next_line(request: Request) -> Sequence[Candidate]:
        return CodeTable({(): lines[request.earlier_here :]})(request)

    policy = ScriptedPolicy(next_line)
    config = search_config(strategy="best_of_n", candidates=3, budget_tokens=1000, max_solution_tokens=990)
    tree = await BestOfN(config).search(PROBLEM.without_answer(), code_services(policy, {}), 1)
    ends = {node.answer: node.multiplicity for node in tree.nodes if node.answer is not None}
    assert ends == {"7": 2, "8": 1}
    assert len({request.seed for request in policy.requests}) == 5  # three drawings and two answers, all seeds differ
