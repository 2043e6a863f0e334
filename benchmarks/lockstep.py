"""Search with a barrier, all trees in lockstep: the baseline that RayStar's own search is measured against.

    generate for all ──> run all code ──> score all ──> select in each tree ──> generate for all …

Models, engines, pools and the tree's arithmetic are RayStar's; only the order is not. No request of a phase is answered
before every tree waits, and a tree without code to run waits for those that have some.

With one rollout of a tree at a time the order is that of rStar-Math's released code (its solver's loop over rollouts and
depths): all trees begin a rollout together and descend one step at a time together, whether they expand or walk through
expanded nodes; a tree whose rollout has ended waits for the others. Several rollouts of a tree are RayStar's strategy
unchanged, with a barrier around its services only.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any

from actors.pools.engine_pool import PolicyPool, RewardModelPool
from actors.pools.executor_pool import ExecutorPool
from actors.workers.messages import Engines
from search.config import SearchConfig
from search.core.expansion import expand
from search.core.stopping import should_stop
from search.core.values import back_up, terminal_value
from search.data import Problem, Proposal, Sampling, Scores, State, Step
from search.formats.base import StepFormat
from search.grading.grader import grader
from search.protocols import SearchServices
from search.reward_models import reward_adapter
from search.seeds import derive
from search.strategies.registry import build
from search.strategies.tree.mcts import MctsConfig
from search.strategies.tree.uct import draws_due, select
from search.tree import ROOT, Tree

GENERATE, RUN, SCORE = "generate", "run", "score"
STEP, ROLLOUT = "step", "rollout"
ORDER = (RUN, SCORE, GENERATE, STEP, ROLLOUT)  # a phase waits while a call of an earlier one is pending
IDLE_TURNS = 50  # turns of the event loop after which every tree waits

PendingCalls = list[tuple[Callable[[], Awaitable[Any]], asyncio.Future[Any]]]


@dataclass(eq=False)
class LockstepServices:
    """Policy, executor and reward model that answer only when all trees wait, one phase after the other."""

    policy: PolicyPool
    executor: ExecutorPool
    reward_model: RewardModelPool | None
    pending: defaultdict[str, PendingCalls] = field(default_factory=lambda: defaultdict(list))

    async def propose(self, state: State, n: int, sampling: Sampling, seed: int) -> Proposal:
        return await self._call(GENERATE, lambda: self.policy.propose(state, n, sampling, seed))  # type: ignore[no-any-return]

    async def run(self, state: State, steps: Sequence[Step]) -> list[Step]:
        return await self._call(RUN, lambda: self.executor.run(state, steps))  # type: ignore[no-any-return]

    async def score(self, states: Sequence[State]) -> Scores:
        reward_model = self.reward_model
        assert reward_model is not None, "scores were requested without a reward model"
        return await self._call(SCORE, lambda: reward_model.score(states))  # type: ignore[no-any-return]

    async def wait_for_all(self, phase: str) -> None:
        """Wait until every tree is at its next STEP, or at its next ROLLOUT."""
        await self._call(phase, do_nothing)

    async def _call(self, phase: str, call: Callable[[], Awaitable[Any]]) -> Any:
        answer = asyncio.get_running_loop().create_future()
        self.pending[phase].append((call, answer))
        return await answer

    async def drive(self, searches: Sequence[asyncio.Task[Tree]]) -> list[Tree]:
        """Answer phase by phase until all searches are done, and return their trees."""
        while not all(task.done() for task in searches):
            for _ in range(IDLE_TURNS):
                await asyncio.sleep(0)
            phase = next((phase for phase in ORDER if self.pending[phase]), GENERATE)
            await answer_all(self.pending.pop(phase, []))
        return [task.result() for task in searches]


async def do_nothing() -> None:
    """Answer those who only wait for the others."""


async def answer_all(calls: PendingCalls) -> None:
    """Make all calls at once and answer them when all have their result."""
    results = await asyncio.gather(*(call() for call, _ in calls))
    for (_, answer), result in zip(calls, results, strict=True):
        if not answer.done():  # its rollout may be cancelled: another one of the tree failed
            answer.set_result(result)


async def search_in_lockstep(
    problem: Problem, services: SearchServices, seed: int, config: MctsConfig, lockstep: LockstepServices
) -> Tree:
    """Run the strategy "mcts", one rollout at a time, all trees beginning every step and every rollout together."""
    tree, expansion = Tree(problem, strategy="mcts", seed=seed), config.expansion()
    for _ in range(config.rollouts):
        await lockstep.wait_for_all(ROLLOUT)
        if should_stop(tree, config):
            break
        child: int | None = ROOT
        while child is not None and not tree.nodes[index := child].is_terminal:
            await lockstep.wait_for_all(STEP)
            while tree.nodes[index].draws < draws_due(tree.nodes[index], config.progressive_widening):
                await expand(tree, index, expansion, services)
            child = select(tree, index, config.exploration, config.unvisited_value)
        back_up(tree, index, terminal_value(tree.nodes[index]))
    return tree


async def run_with_barrier(
    config: SearchConfig, engines: Engines, step_format: StepFormat, problems: tuple[Problem, ...], seed: int
) -> dict[str, float]:
    """Return seconds, generated tokens and solved problems of a lockstep search. It scores if there is a reward model."""
    lockstep = lockstep_services(engines, step_format)
    services = SearchServices(
        policy=lockstep,
        executor=lockstep,
        format=step_format,
        reward_model=lockstep if lockstep.reward_model else None,
        grader=grader(),
    )

    def search(problem: Problem) -> Coroutine[Any, Any, Tree]:
        tree_seed = derive(seed, problem.id)
        if isinstance(config, MctsConfig) and config.parallel_rollouts == 1:
            return search_in_lockstep(problem, services, tree_seed, config, lockstep)
        return build(config).search(problem, services, tree_seed)

    start = time.perf_counter()
    trees = await lockstep.drive([asyncio.ensure_future(search(problem)) for problem in problems])
    seconds = time.perf_counter() - start
    tokens = sum(tree.cost.generated_tokens for tree in trees)
    return {"seconds": seconds, "tokens": tokens, "solved": sum(tree.is_solved for tree in trees)}


def lockstep_services(engines: Engines, step_format: StepFormat) -> LockstepServices:
    """Return services over pools in which no request waits for capacity."""
    unbounded = {"queue": 1e6}
    policy_config = engines.policy_config.model_copy(update=unbounded)
    policy = PolicyPool(engines.policy, step_format, policy_config, engines.policy_ref)
    reward_model = None
    if engines.reward_model and engines.reward_model_ref is not None:
        config = engines.reward_model_config.model_copy(update=unbounded)
        adapter = reward_adapter(engines.reward_model_ref, step_format)
        reward_model = RewardModelPool(engines.reward_model, adapter, config, engines.reward_model_ref)
    return LockstepServices(policy, ExecutorPool(engines.executors, engines.executor_config), reward_model)
