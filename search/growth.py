"""Growing a tree by one expansion: draw candidates, run their code, score them, add them. Shared by all strategies.

Knows the order of the calls and what they cost. Which node to expand, and what a value means, is the strategies' business.
"""

from __future__ import annotations

import asyncio
import math
from dataclasses import dataclass, replace
from itertools import pairwise

from search.protocols import Tools
from search.seeds import derive
from search.tree import ROOT, Tree
from search.types import Cost, Outcome, Proposal, Sampling, Scores, State, Step, StepStatus

NO_CANDIDATE = "no_candidate"  # the policy had nothing to say, for want of room in its context
WORST = -1.0  # the value of a wrong answer, of code that fails and of a solution without an end


@dataclass(frozen=True, slots=True)
class Growth:
    """What one expansion needs to know."""

    candidates: int
    sampling: Sampling
    max_depth: int
    squash_scale: float
    keep_failed: bool = True
    finish_first: bool = False


def squash(logit: float, scale: float) -> float:
    """Process reward in (-1, 1): tanh(logit / scale) (rStar-Math, section 3.3; its code has scale 5)."""
    return math.tanh(logit / scale)


def node_seed(tree: Tree, index: int, attempt: int = 0) -> int:
    """A seed that depends on the place of a node in its tree, never on the order in which engines answered."""
    path = [ROOT, *tree.path(index)]
    places = [tree.nodes[parent].children.index(child) for parent, child in pairwise(path)]
    return derive(tree.seed, *places, attempt)


def count(tree: Tree, answer: Proposal | Scores) -> None:
    """Add what one answer of an engine cost to the tree."""
    if isinstance(answer, Proposal):
        spent = Cost(answer.generated_tokens, answer.prompt_tokens, answer.cached_tokens, requests=1)
    else:
        spent = Cost(scored_tokens=answer.prompt_tokens, requests=1)
    tree.cost = tree.cost + spent


def fail(tree: Tree, name: str) -> None:
    tree.failures[name] = tree.failures.get(name, 0) + 1


async def expand(tree: Tree, index: int, growth: Growth, tools: Tools) -> list[int]:
    """Add children to a node and return those that are alive: their code ran and the solution can go on or is done.

    Identical candidates are merged. Terminal children are graded where there is a grader, scored otherwise.
    """
    state = tree.state(index)
    concluding = tools.format.concluding(state)
    n = 1 if concluding else growth.candidates
    sampling = replace(growth.sampling, temperature=0.0) if concluding else growth.sampling
    proposal = await tools.policy.propose(state, n, sampling, node_seed(tree, index))
    count(tree, proposal)
    if not proposal.candidates:
        fail(tree, NO_CANDIDATE)
    drawn: dict[str, tuple[Step, int, int]] = {}
    for candidate in proposal.candidates:
        steps = tools.format.parse(candidate)
        step = steps[0] if steps else Step(candidate.text, status=StepStatus.NO_ANSWER)
        _, many, _ = drawn.get(step.text, (step, 0, 0))
        drawn[step.text] = (step, many + 1, len(candidate.token_ids))
    ran = await asyncio.gather(*(execute(tree, state, step, tools) for step, _, _ in drawn.values()))
    tree.nodes[index].expanded = True
    children = []
    for step, (_, many, tokens) in zip(ran, drawn.values(), strict=True):
        if step.status is StepStatus.OPEN and tree.nodes[index].depth + 1 >= growth.max_depth:
            step = replace(step, status=StepStatus.TOO_DEEP)
        failed = step.terminal and step.answer is None
        if failed:
            fail(tree, step.outcome if step.status is StepStatus.CODE_ERROR else step.status)
            if not growth.keep_failed:
                continue
        child = tree.add(index, step, multiplicity=many, version=proposal.version, tokens=tokens)
        if failed:
            tree.nodes[child].visits, tree.nodes[child].value_sum = 1, WORST
        else:
            children.append(child)
    if growth.finish_first:
        children = _first_finished(tree, index, children)
    await evaluate(tree, children, growth.squash_scale, tools)
    return children


def _first_finished(tree: Tree, index: int, children: list[int]) -> list[int]:
    """Only the first child that carries an answer, where there is one (released code of rStar-Math)."""
    for child in children:
        if tree.nodes[child].terminal:
            tree.nodes[index].children = [child]
            return [child]
    return children


async def execute(tree: Tree, state: State, step: Step, tools: Tools) -> Step:
    """The step after its code ran, where it has code to run."""
    if not step.code or step.terminal:
        return step
    tree.cost = tree.cost + Cost(executions=1)
    done = await tools.executor.run(state, step)
    if done.outcome not in (Outcome.OK, Outcome.OUTPUT_TRUNCATED) and not done.terminal:
        return replace(done, status=StepStatus.CODE_ERROR)
    return done


async def evaluate(tree: Tree, children: list[int], squash_scale: float, tools: Tools) -> None:
    """Grade the children that carry an answer, where there is a grader; score all others, where there is a scorer."""
    unscored = []
    for child in children:
        node = tree.nodes[child]
        if node.terminal and tools.grader is not None and node.step is not None:
            node.correct = tools.grader.grade(tree.problem, node.step.answer)
        else:
            unscored.append(child)
    if tools.scorer is None or not unscored:
        return
    scores = await tools.scorer.score([tree.state(child) for child in unscored])
    count(tree, scores)
    for child, logit in zip(unscored, scores.logits, strict=True):
        tree.nodes[child].score = squash(logit, squash_scale)
