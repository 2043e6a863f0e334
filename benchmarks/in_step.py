"""A search with a barrier: all trees in step. What raystar's own search is measured against.

    generate for all ──> run all code ──> score all ──> select in each tree ──> generate for all …

Models, engines, pools and the arithmetic of the tree are raystar's own; only the order is not. Nobody is answered
before everybody who is in the same phase waits, and a tree that has no code to run waits for those that have.

One rollout of a tree under way is the order of rStar-Math's released code (its solver's loop over rollouts and
depths): all trees begin a rollout together and go down one step at a time together, those that expand and those that
walk through what is there; whose rollout has ended waits for the others'. Several are raystar's strategy as it is, with
a barrier around its tools only.
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
from search.core.expansion import ExpansionConfig, expand
from search.core.stopping import should_stop
from search.core.values import back_up, terminal_value
from search.data import Problem, Proposal, Sampling, Scores, State, Step
from search.formats.registry import StepFormat
from search.grading.grader import grader
from search.protocols import SearchServices
from search.seeds import derive
from search.strategies.registry import build
from search.strategies.tree.mcts import draws_due, select
from search.tree import ROOT, Tree

GENERATE, RUN, SCORE = "generate", "run", "score"
STEP, ROLLOUT = "step", "rollout"
ORDER = (RUN, SCORE, GENERATE, STEP, ROLLOUT)  # a phase waits until nobody is in one before it
SETTLED = 50  # turns of the event loop after which every tree waits

Asked = list[tuple[Callable[[], Awaitable[Any]], asyncio.Future[Any]]]


@dataclass(eq=False)
class InStep:
    """Policy, executor and reward model that answer nobody before everybody waits, one phase after the other."""

    policy: PolicyPool
    executor: ExecutorPool
    reward_model: RewardModelPool | None
    asked: defaultdict[str, Asked] = field(default_factory=lambda: defaultdict(list))

    async def propose(self, state: State, n: int, sampling: Sampling, seed: int) -> Proposal:
        return await self._ask(GENERATE, lambda: self.policy.propose(state, n, sampling, seed))  # type: ignore[no-any-return]

    async def run(self, state: State, steps: Sequence[Step]) -> list[Step]:
        return await self._ask(RUN, lambda: self.executor.run(state, steps))  # type: ignore[no-any-return]

    async def score(self, states: Sequence[State]) -> Scores:
        reward_model = self.reward_model
        assert reward_model is not None, "asked for scores without a reward model"
        return await self._ask(SCORE, lambda: reward_model.score(states))  # type: ignore[no-any-return]

    async def all_at(self, place: str) -> None:
        """Wait until every tree is at its next STEP, or at its next ROLLOUT."""
        await self._ask(place, nothing)

    async def _ask(self, phase: str, call: Callable[[], Awaitable[Any]]) -> Any:
        answer = asyncio.get_running_loop().create_future()
        self.asked[phase].append((call, answer))
        return await answer

    async def drive(self, growing: Sequence[asyncio.Task[Tree]]) -> list[Tree]:
        """Answer phase by phase until all trees are grown."""
        while not all(task.done() for task in growing):
            for _ in range(SETTLED):
                await asyncio.sleep(0)
            phase = next((phase for phase in ORDER if self.asked[phase]), GENERATE)
            await answered(self.asked.pop(phase, []))
        return [task.result() for task in growing]


async def nothing() -> None:
    """What is done for those who only wait for the others."""


async def answered(turn: Asked) -> None:
    """Ask for all at once, and answer when all have their result."""
    results = await asyncio.gather(*(call() for call, _ in turn))
    for (_, answer), result in zip(turn, results, strict=True):
        if not answer.done():  # its rollout may be cancelled: another one of the tree found enough
            answer.set_result(result)


async def step_by_step(problem: Problem, tools: SearchServices, seed: int, config: SearchConfig, steps: InStep) -> Tree:
    """The strategy "mcts", one rollout under way, with every step and every rollout begun by all trees together."""
    tree, growth = Tree(problem, strategy="mcts", seed=seed), ExpansionConfig.of(config)
    for _ in range(config.rollouts):
        await steps.all_at(ROLLOUT)
        if should_stop(tree, config):
            break
        child: int | None = ROOT
        while child is not None and not tree.nodes[index := child].terminal:
            await steps.all_at(STEP)
            while tree.nodes[index].draws < draws_due(tree.nodes[index], config.widen):
                await expand(tree, index, growth, tools)
            child = select(tree, index, config.exploration, config.unvisited)
        back_up(tree, index, terminal_value(tree.nodes[index]))
    return tree


async def with_barrier(
    config: SearchConfig, engines: Engines, form: StepFormat, problems: tuple[Problem, ...], seed: int
) -> dict[str, float]:
    """Seconds, generated tokens and solved problems of a search in step; it scores where ``engines`` has a reward_model."""
    steps = in_step(engines, form)
    tools = SearchServices(steps, steps, form, steps if steps.reward_model else None, grader())

    def grow(problem: Problem) -> Coroutine[Any, Any, Tree]:
        chance = derive(seed, problem.id)
        if config.strategy == "mcts" and config.parallel_rollouts == 1:
            return step_by_step(problem, tools, chance, config, steps)
        return build(config).search(problem, tools, chance)

    began = time.perf_counter()
    trees = await steps.drive([asyncio.ensure_future(grow(problem)) for problem in problems])
    seconds = time.perf_counter() - began
    tokens = sum(tree.cost.generated_tokens for tree in trees)
    return {"seconds": seconds, "tokens": tokens, "solved": sum(tree.solved for tree in trees)}


def in_step(engines: Engines, form: StepFormat) -> InStep:
    """Tools over pools that never make a request wait for room."""
    unbounded = {"queue": 1e6}
    policy = PolicyPool(engines.policy, form, engines.policy_config.model_copy(update=unbounded), engines.policy_ref)
    reward_model = None
    if engines.reward_model:
        config = engines.reward_model_config.model_copy(update=unbounded)
        reward_model = RewardModelPool(engines.reward_model, form, config, engines.reward_model_ref)
    return InStep(policy, ExecutorPool(engines.executors, engines.executor_config), reward_model)
