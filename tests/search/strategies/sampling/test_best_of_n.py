"""Best-of-N: answers by score and by vote, rewards of all steps, and a budget that is drawn up to."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from search.data import Scores, State
from search.formats.code_format import CodeFormat
from search.protocols import SearchServices
from search.strategies.registry import search_config
from search.strategies.sampling.best_of_n import BestOfN
from search.strategies.sampling.sampling import IndependentSampling
from search.tree import Tree
from tests.fakes.scripts import word_policy
from tests.fakes.services import word_services
from tests.fakes.words import PROBLEM
from tests.search.conftest import PROBLEM as SUM
from tests.search.conftest import ScriptedPolicy, SumExecutor, TableRewardModel
from tests.search.tree_checks import shape

LINES = ["a =7", "b =8", "a =7", "c !", "b =9"]
REWARDS = {"a": -0.6, "b": 0.4, "=7": 0.5, "=8": 0.6, "=9": 0.1}


async def answered(rewards: dict[str, float] | None = REWARDS, **fields: object) -> Tree:
    config = search_config(strategy="best_of_n", candidates=5, **fields)  # type: ignore[arg-type]
    return await BestOfN(config).search(
        PROBLEM.without_answer(), word_services(word_policy({}, lines=LINES), rewards), 1
    )


async def test_the_best_end_and_the_weighted_vote_by_hand() -> None:
    assert (await answered()).answer == "8"
    assert (await answered(answer_rule="weighted")).answer == "7"  # 2 * 0.75 against 0.8 and 0.55


async def test_without_a_reward_model_a_vote_is_the_majority() -> None:
    tree = await answered(None, answer_rule="weighted")
    assert (tree.strategy, tree.answer) == ("best_of_n", "7")


@pytest.mark.parametrize(("aggregate", "judged"), [("last", 3), ("min", 6), ("mean", 6), ("product", 6)])
async def test_steps_are_scored_where_the_aggregation_wants_them(aggregate: str, judged: int) -> None:
    """Three distinct solutions of two steps have an answer; one request scores them."""
    asked: list[int] = []

    class Counting(WordRewardModel):
        async def score(self, states: Sequence[State]) -> Scores:
            asked.append(len(states))
            return await super().score(states)

    services = word_services(word_policy({}, lines=LINES))
    counting = SearchServices(
        policy=services.policy, executor=services.executor, format=services.format, reward_model=Counting(REWARDS)
    )
    config = search_config(strategy="best_of_n", candidates=5, step_aggregation=aggregate)  # type: ignore[arg-type]
    tree = await BestOfN(config).search(PROBLEM.without_answer(), counting, 1)
    assert asked == [judged]
    assert tree.answer == "8"  # its rewards 0.4 and 0.6 are no worse than any other in every way


async def test_a_weak_step_before_a_strong_end() -> None:
    rewards = {**REWARDS, "=7": 0.95}
    assert (await answered(rewards)).answer == "7"
    assert (await answered(rewards, step_aggregation="min")).answer == "8"
    assert (await answered(rewards, step_aggregation="product")).answer == "8"  # 0.2 * 0.975 against 0.7 * 0.8


async def test_the_same_solutions_as_samples() -> None:
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
async def test_no_request_is_sent_once_the_budget_is_spent(budget: int, requests: list[int], solutions: int) -> None:
    asked: list[int] = []

    class Watched(word_policy):
        async def propose(self, state, n, sampling, seed):  # type: ignore[no-untyped-def]
            asked.append(n)
            return await super().propose(state, n, sampling, seed)

    config = search_config(
        strategy="best_of_n", candidates=5, budget_tokens=budget, max_solution_tokens=20, max_step_tokens=10
    )
    tree = await BestOfN(config).search(PROBLEM.without_answer(), word_services(Watched({}, lines=LINES), REWARDS), 1)
    assert asked == requests
    assert tree.cost.generated_tokens == 20 * solutions
    assert sum(node.multiplicity for node in tree.nodes[1:] if not node.children) == solutions


async def test_solutions_of_several_requests_are_merged() -> None:
    """Programs this time; the third request brings what the first had, and its answer is not asked for again."""
    one, two = "a = 3<end_of_step>print(7)<end_of_code>", "print(8)<end_of_code>"

    class InTurn(ScriptedPolicy):
        async def propose(self, state, n, sampling, seed):  # type: ignore[no-untyped-def]
            if not state.steps:
                drawn = sum(not codes for codes, *_ in self.calls)
                self.table = {(): [[one, two, one][drawn]]}
            return await super().propose(state, n, sampling, seed)

    from_table = InTurn({})
    services = SearchServices(
        policy=from_table, executor=SumExecutor(), format=CodeFormat(), reward_model=TableRewardModel({})
    )
    config = search_config(strategy="best_of_n", candidates=3, budget_tokens=1000, max_solution_tokens=990)
    tree = await BestOfN(config).search(SUM.without_answer(), services, 1)
    ends = {node.answer: node.multiplicity for node in tree.nodes if node.answer is not None}
    assert ends == {"7": 2, "8": 1}
    assert len({seed for codes, _, seed in from_table.calls}) == 5  # three drawings and two answers, all seeds differ
