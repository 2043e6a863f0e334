"""Generation of a whole solution, or the rest of one, by a single draw: run its program, then have the answer stated."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import replace

from search.concurrency import gather_or_cancel
from search.core.expansion import (
    NO_CANDIDATE,
    add_cost,
    count_failed_step,
    count_failure,
    execute_steps,
    require_answer,
)
from search.data import Candidate, Outcome, Sampling, State, Step, StepStatus
from search.protocols import SearchServices
from search.seeds import derive
from search.tree import Tree

EMPTY_STEP = Step("", status=StepStatus.NO_ANSWER)
UNLIMITED = sys.maxsize


async def complete_solution(
    tree: Tree, state: State, sampling: Sampling, seed: int, answer_tokens: int, services: SearchServices
) -> tuple[tuple[Step, ...], int]:
    """Draw one completion of ``state``; return its steps, the last of them terminal, and its length in tokens.

    Stating the answer after a program may take ``answer_tokens`` more. Costs are added to ``tree``, nodes are not.
    """
    proposal = await services.policy.propose(state, 1, sampling, seed)
    add_cost(tree, proposal)
    if not proposal.candidates:
        count_failure(tree, NO_CANDIDATE)
        return (EMPTY_STEP,), 0
    candidate = proposal.candidates[0]
    drawn = services.keep_ids(services.format.parse(candidate, state), candidate)
    steps = await finish_solution(tree, state, drawn, derive(seed, "answer"), answer_tokens, services)
    return steps, len(candidate.token_ids)


async def finish_each(
    tree: Tree,
    root: State,
    candidates: Iterable[Candidate],
    seed: int,
    answer_tokens: int,
    services: SearchServices,
    *,
    first: int = 0,
    max_depth: int = UNLIMITED,
) -> list[tuple[Step, ...]]:
    """Finish several solutions of one request side by side (``finish_solution``); return the steps of each.

    Each states its answer by a seed of its own; ``first`` numbers the first of them.
    """
    drawn = [services.keep_ids(services.format.parse(candidate, root), candidate) for candidate in candidates]
    return await gather_or_cancel(
        finish_solution(tree, root, steps, derive(seed, "answer", place), answer_tokens, services, max_depth)
        for place, steps in enumerate(drawn, first)
    )


async def finish_solution(
    tree: Tree,
    root: State,
    steps: tuple[Step, ...],
    seed: int,
    answer_tokens: int,
    services: SearchServices,
    max_depth: int = UNLIMITED,
) -> tuple[Step, ...]:
    """Run the program at the end of drawn ``steps``, let the policy state its answer; return all steps after ``root``.

    Code that is still open after ``max_depth`` steps ends as too deep. Prose is written to the end at any depth.
    """
    if not steps:
        return (EMPTY_STEP,)
    *before, last = steps
    if any(step.is_terminal for step in before):
        return tuple(before)
    before = [replace(step, outcome=Outcome.OK) if step.code else step for step in before]
    (last,) = await execute_steps(tree, root.then(*before), [last], services)
    if last.is_terminal:
        return (*before, last)
    state, too_deep = root.then(*before, last), len(steps) >= max_depth and services.format.runs_code
    if not services.format.concluding(state) or too_deep:
        return (*before, replace(last, status=StepStatus.TOO_DEEP if too_deep else StepStatus.NO_ANSWER))
    sampling = Sampling(temperature=0.0, max_tokens=answer_tokens)
    proposal = await services.policy.propose(state, 1, sampling, seed)
    add_cost(tree, proposal)
    final: tuple[Step, ...] = ()
    if proposal.candidates:
        stated = proposal.candidates[0]
        final = services.keep_ids(services.format.parse(stated, state)[:1], stated)
    return (*before, last, *map(require_answer, final or (EMPTY_STEP,)))


def add_chain(
    tree: Tree, start: int, steps: tuple[Step, ...], tokens: int, multiplicity: int = 1, action: str = ""
) -> int:
    """Add steps one below the other; return the last node, which carries ``tokens``. The first carries ``action``."""
    index = start
    for step in steps:
        index = tree.add(index, step, multiplicity=multiplicity, action=action if index == start else "")
    tree.nodes[index].tokens = tokens
    last = steps[-1]
    if last.answer is None:
        count_failed_step(tree, last)
    return index
