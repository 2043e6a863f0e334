"""Score every step of many solutions with one reward model. Logits are kept in a file as they come."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from actors.pools.engine_pool import RewardModelPool
from cluster.run.context import Context
from cluster.searches.runner import SearchRunner
from search import serialization
from search.concurrency import gather_or_cancel
from search.data import ModelRef, State
from search.errors import UserError
from search.protocols import RewardModel
from search.storage.files import write_text
from search.tree import Tree


@dataclass(frozen=True, slots=True)
class ScoringTask:
    """The solutions to score under one unique key, each as the states after its steps, in order."""

    key: str
    solutions: tuple[tuple[State, ...], ...]


@dataclass(frozen=True, slots=True)
class SolutionLogits:
    """The result of a task: one logit per step of each solution, and the prompt tokens that all of them took."""

    key: str
    logits: tuple[tuple[float, ...], ...]
    tokens: int = 0


def prefixes(state: State) -> tuple[State, ...]:
    """Return the states after each step of a solution."""
    return tuple(State(state.problem, state.steps[:end]) for end in range(1, len(state.steps) + 1))


def scoring_tasks(trees: Iterable[Tree]) -> Iterator[ScoringTask]:
    """Yield one task per tree: its finished solutions, in the order of ``tree.terminals``."""
    for tree in trees:
        yield ScoringTask(tree.name, tuple(prefixes(tree.state(end)) for end in tree.terminals()))


def score(
    context: Context,
    runner: SearchRunner,
    model: ModelRef,
    tasks: Iterable[ScoringTask],
    *,
    total: int,
    file: Path,
    title: str,
    policy: Path | None = None,
) -> dict[str, SolutionLogits]:
    """Score all ``total`` tasks and return their logits by key. Tasks that ``file`` holds already are not scored again.

    ``policy`` wrote the steps; None stands for the config's. No engine is started where nothing is left to do.
    """
    logits = read_logits(file)
    remaining = (task for task in tasks if task.key not in logits)
    first = next(remaining, None)
    if first is None:
        return logits
    config = context.config
    handles = runner.engine_manager.handles(model)

    async def score_remaining(on_scored: Callable[[SolutionLogits], None]) -> None:
        adapter = context.reward_adapter(model, policy or config.policy.path)
        pool = RewardModelPool(handles, adapter, config.reward_model.engine, model)
        concurrency = config.reward_model.engine.max_inflight * config.reward_model.engine.replicas
        await score_concurrently(pool, chain([first], remaining), on_scored, concurrency)

    with context.progress.task(title, total, done=len(logits)) as progress, file.open("a", encoding="utf-8") as lines:

        def keep(scored: SolutionLogits) -> None:
            logits[scored.key] = scored
            lines.write(f"{serialization.dump(scored)}\n")
            lines.flush()
            progress.advance()

        asyncio.run(score_remaining(keep))
    return logits


async def score_concurrently(
    reward_model: RewardModel,
    tasks: Iterable[ScoringTask],
    on_scored: Callable[[SolutionLogits], None],
    concurrency: int,
) -> None:
    """Score the tasks, ``concurrency`` of them at a time, and call ``on_scored`` with each result.

    A request is one solution: its states share their beginnings, so the engine reads each of its tokens once.
    """
    remaining = iter(tasks)

    async def score_in_turn() -> None:
        for task in remaining:
            scores = [await reward_model.score(states) for states in task.solutions]
            logits, tokens = tuple(score.logits for score in scores), sum(score.prompt_tokens for score in scores)
            on_scored(SolutionLogits(task.key, logits, tokens))

    await gather_or_cancel(score_in_turn() for _ in range(concurrency))


def read_logits(file: Path) -> dict[str, SolutionLogits]:
    """Return what a file holds, by key. A last line that a killed run left torn is cut off.

    Raises UserError for another line that is no record.
    """
    if not file.exists():
        return {}
    content = file.read_bytes()
    whole_lines = content[: content.rfind(b"\n") + 1]
    if whole_lines != content:
        write_text(file, whole_lines.decode())
    logits: dict[str, SolutionLogits] = {}
    for number, line in enumerate(whole_lines.splitlines(), start=1):
        try:
            record = serialization.load(SolutionLogits, line)
        except ValueError as error:
            raise UserError(
                f"{file}:{number} is damaged: remove the line, its solutions are then scored again"
            ) from error
        logits[record.key] = record
    return logits
