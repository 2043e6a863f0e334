"""Every step of many solutions under one judge: a logit a step, kept in a file as they come.

Knows the reward model's protocol and the file; whose solutions they are, and what the logits mean, is the callers' business.
"""

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
from search.protocols import RewardModel
from search.storage.files import write_atomic
from search.tree import Tree


@dataclass(frozen=True, slots=True)
class Work:
    """Solutions under a name of their own; each as the states after its steps, in order."""

    key: str
    solutions: tuple[tuple[State, ...], ...]


@dataclass(frozen=True, slots=True)
class Scored:
    """What became of a work: for each solution a logit a step, and the tokens that were read for all of them."""

    key: str
    logits: tuple[tuple[float, ...], ...]
    tokens: int = 0


def prefixes(state: State) -> tuple[State, ...]:
    """The states after each step of a solution."""
    return tuple(State(state.problem, state.steps[:end]) for end in range(1, len(state.steps) + 1))


def works(trees: Iterable[Tree]) -> Iterator[Work]:
    """A work a tree: its finished solutions, in the order of ``tree.terminals``."""
    for tree in trees:
        yield Work(tree.problem.id, tuple(prefixes(tree.state(end)) for end in tree.terminals()))


def score(
    context: Context,
    searchers: SearchRunner,
    model: ModelRef,
    wanted: Iterable[Work],
    total: int,
    file: Path,
    what: str,
) -> dict[str, Scored]:
    """All ``total`` works that are wanted, by name; those that ``file`` holds already are not asked for again.

    No engine is started where nothing is left to do.
    """
    found = known(file)
    waiting = (work for work in wanted if work.key not in found)
    first = next(waiting, None)
    if first is None:
        return found
    config = context.config
    handles = searchers.fleet.reward_model(model)

    async def ask(keep: Callable[[Scored], None]) -> None:
        pool = RewardModelPool(handles, config.policy.step_format(context.shots), config.reward_model.engine, model)
        at_once = config.reward_model.engine.holds * config.reward_model.engine.replicas
        await score_all(pool, chain([first], waiting), keep, at_once)

    with context.progress.task(what, total, done=len(found)) as task, file.open("a", encoding="utf-8") as lines:

        def keep(scored: Scored) -> None:
            found[scored.key] = scored
            lines.write(f"{serialization.dump(scored)}\n")
            lines.flush()
            task.advance()

        asyncio.run(ask(keep))
    return found


async def score_all(
    reward_model: RewardModel, wanted: Iterable[Work], keep: Callable[[Scored], None], at_once: int
) -> None:
    """Score the works, ``at_once`` of them side by side, and hand each over when it is done.

    A request is one solution: its states begin alike, so the engine reads each token of it once.
    """
    waiting = iter(wanted)

    async def one_after_another() -> None:
        for work in waiting:
            answers = [await reward_model.score(states) for states in work.solutions]
            keep(Scored(work.key, tuple(a.logits for a in answers), sum(a.prompt_tokens for a in answers)))

    await gather_or_cancel(one_after_another() for _ in range(at_once))


def known(file: Path) -> dict[str, Scored]:
    """What a file holds, by name; a last line that a killed run left torn is cut off."""
    if not file.exists():
        return {}
    content = file.read_bytes()
    whole = content[: content.rfind(b"\n") + 1]
    if whole != content:
        write_atomic(file, whole.decode())
    found = (serialization.load(Scored, line) for line in whole.split(b"\n") if line)
    return {scored.key: scored for scored in found}
