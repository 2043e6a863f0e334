"""Whole solutions, or what is left of one, drawn in one go: run at the pause, then concluded. Knows one draw, no strategy."""

from __future__ import annotations

import sys
from dataclasses import replace

from search.config import SearchConfig
from search.core.expansion import NO_CANDIDATE, add_cost, count_failure, execute, stated
from search.data import Outcome, Sampling, State, Step, StepStatus, Until
from search.protocols import SearchServices
from search.seeds import derive
from search.tree import Tree

NOTHING = Step("", status=StepStatus.NO_ANSWER)
UNLIMITED = sys.maxsize


def whole(config: SearchConfig) -> Sampling:
    """How solutions are drawn in one go."""
    return Sampling(config.temperature, config.top_p, config.top_k, config.max_solution_tokens, until=Until.PAUSE)


async def complete(
    tree: Tree, state: State, sampling: Sampling, seed: int, answer_tokens: int, tools: SearchServices
) -> tuple[tuple[Step, ...], int]:
    """The steps, however many, that one draw adds to ``state``, the last of them an end, and the tokens it took.

    The answer after a program may take ``answer_tokens`` more. ``tree`` bears the cost; its nodes stay as they are.
    """
    proposal = await tools.policy.propose(state, 1, sampling, seed)
    add_cost(tree, proposal)
    if not proposal.candidates:
        count_failure(tree, NO_CANDIDATE)
        return (NOTHING,), 0
    candidate = proposal.candidates[0]
    steps = await finish(tree, state, tools.format.parse(candidate), derive(seed, "answer"), answer_tokens, tools)
    return steps, len(candidate.token_ids)


async def finish(
    tree: Tree,
    root: State,
    steps: tuple[Step, ...],
    seed: int,
    answer_tokens: int,
    tools: SearchServices,
    max_depth: int = UNLIMITED,
) -> tuple[Step, ...]:
    """Run the program at a pause and let the policy state the answer; all steps after ``root``.

    What is still open after ``max_depth`` of them is too deep.
    """
    if not steps:
        return (NOTHING,)
    *before, last = steps
    if any(step.terminal for step in before):
        return tuple(before)
    before = [replace(step, outcome=Outcome.OK) if step.code else step for step in before]
    (last,) = await execute(tree, root.then(*before), [last], tools)
    if last.terminal:
        return (*before, last)
    state, deep = root.then(*before, last), len(steps) >= max_depth
    if not tools.format.concluding(state) or deep:
        return (*before, replace(last, status=StepStatus.TOO_DEEP if deep else StepStatus.NO_ANSWER))
    sampling = Sampling(temperature=0.0, max_tokens=answer_tokens)
    proposal = await tools.policy.propose(state, 1, sampling, seed)
    add_cost(tree, proposal)
    final = tools.format.parse(proposal.candidates[0])[:1] if proposal.candidates else ()
    return (*before, last, *map(stated, final or (NOTHING,)))


def add_chain(
    tree: Tree, below: int, steps: tuple[Step, ...], tokens: int, multiplicity: int = 1, action: str = ""
) -> int:
    """Add steps one below the other; returns the last node, which bears the tokens. The first one bears the action."""
    index = below
    for step in steps:
        index = tree.add(index, step, multiplicity=multiplicity, action=action if index == below else "")
    tree.nodes[index].tokens = tokens
    last = steps[-1]
    if last.answer is None:
        count_failure(tree, last.outcome if last.status is StepStatus.CODE_ERROR else last.status)
    return index
