"""Growing a tree by one expansion: draw candidates, run their code, score them, add them. Shared by all strategies.

    draft   ask the policy, run the code, grade and score       awaits engines, leaves the tree's nodes alone
    graft   add what was drafted                                at once

A node is therefore expanded or not, never half: an expansion that is cancelled or fails leaves only its costs behind.
It may be expanded again, with a new seed; what it has already is then counted and neither run nor scored once more.
Knows the order of the calls and what they cost. Which node to expand is the strategies' business.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from search.concurrency import gather_or_cancel
from search.config import SearchConfig
from search.core.values import WORST
from search.data import Cost, Outcome, Proposal, Sampling, Scores, State, Step, StepStatus
from search.protocols import SearchServices
from search.seeds import derive
from search.tree import ROOT, Node, Tree

NO_CANDIDATE = "no_candidate"  # the policy had nothing to say, for want of room in its context


@dataclass(frozen=True, slots=True)
class ExpansionConfig:
    """What one expansion needs to know."""

    candidates: int
    sampling: Sampling
    max_depth: int
    squash_scale: float
    keep_failed: bool = True
    finish_first: bool = False

    @classmethod
    def of(cls, config: SearchConfig) -> ExpansionConfig:
        return cls(
            config.candidates,
            config.sampling(),
            config.max_depth,
            config.squash_scale,
            config.keep_failed,
            config.finish_first,
        )


@dataclass(slots=True)
class DrawnStep:
    """A step as it was written, its length in tokens, and how often it was drawn."""

    step: Step
    tokens: int
    many: int = 0


def squash(logit: float, scale: float) -> float:
    """Process reward in (-1, 1): tanh(logit / scale) (rStar-Math, section 3.3; its code has scale 5)."""
    return math.tanh(logit / scale)


def node_seed(tree: Tree, index: int, attempt: int = 0) -> int:
    """A seed that depends on the place of a node in its tree, never on the order in which engines answered."""
    path = [ROOT, *tree.path(index)]
    places = [tree.nodes[parent].children.index(child) for parent, child in pairwise(path)]
    return derive(tree.seed, *places, attempt)


def add_cost(tree: Tree, answer: Proposal | Scores) -> None:
    """Add what one answer of an engine cost to the tree."""
    if isinstance(answer, Proposal):
        spent = Cost(answer.generated_tokens, answer.prompt_tokens, answer.cached_tokens, requests=1)
    else:
        spent = Cost(scored_tokens=answer.prompt_tokens, scored_cached_tokens=answer.cached_tokens, requests=1)
    tree.cost = tree.cost + spent


def count_failure(tree: Tree, name: str) -> None:
    tree.failures[name] = tree.failures.get(name, 0) + 1


async def expand(tree: Tree, index: int, growth: ExpansionConfig, tools: SearchServices) -> list[int]:
    """Add children to a node and return those that are alive: their code ran and the solution can go on or is done.

    Identical candidates are merged. Terminal children are graded where there is a grader, scored otherwise.
    """
    return attach_children(tree, index, await propose_children(tree, index, growth, tools))


async def expand_all(
    tree: Tree, indices: Sequence[int], growth: ExpansionConfig, tools: SearchServices
) -> list[list[int]]:
    """Expand nodes side by side; for each what ``expand`` returns. Children are added in the order of ``indices``,
    whichever engine answers first."""
    drafts = await gather_or_cancel(propose_children(tree, index, growth, tools) for index in indices)
    return [attach_children(tree, index, nodes) for index, nodes in zip(indices, drafts, strict=True)]


async def propose_children(
    tree: Tree, index: int, growth: ExpansionConfig, tools: SearchServices, after: State | None = None
) -> list[Node]:
    """The children that a node is to have, judged but not yet in the tree.

    They continue ``after``: the node's own state, unless a step is to stand in place of the node's. What is among the
    node's children already is neither run nor judged again, ``attach_children`` counts it there.
    """
    state = tree.state(index) if after is None else after
    concluding = tools.format.concluding(state)
    if concluding and tree.nodes[index].draws:
        return []  # an answer is stated greedily: it would be the same again
    n = 1 if concluding else growth.candidates
    sampling = replace(growth.sampling, temperature=0.0) if concluding else growth.sampling
    proposal = await tools.policy.propose(state, n, sampling, node_seed(tree, index, tree.nodes[index].draws))
    add_cost(tree, proposal)
    if not proposal.candidates:
        count_failure(tree, NO_CANDIDATE)
    drawn, depth = distinct(proposal, concluding, tools), tree.nodes[index].depth + 1
    again: list[DrawnStep] = []
    fresh: list[DrawnStep] = []
    for draw in drawn:
        (fresh if tree.child(index, draw.step.text) is None else again).append(draw)
    ran = await execute(tree, state, [draw.step for draw in fresh], tools)
    children = []
    for step, draw in zip(ran, fresh, strict=True):
        if step.status is StepStatus.OPEN and depth >= growth.max_depth:
            step = replace(step, status=StepStatus.TOO_DEEP)
        node = Node(index, step, depth, multiplicity=draw.many, tokens=draw.tokens, version=proposal.version)
        if node.failed:
            count_failure(tree, step.outcome if step.status is StepStatus.CODE_ERROR else step.status)
            node.visits, node.value_sum = 1, WORST
        if growth.keep_failed or not node.failed:
            children.append(node)
    if growth.finish_first:
        children = [node for node in children if node.answer is not None][:1] or children
    await evaluate(tree, state, children, growth.squash_scale, tools)
    return [Node(index, draw.step, depth, multiplicity=draw.many) for draw in again] + children


def stated(step: Step) -> Step:
    """A step that was to state the answer: if it goes on instead, the solution has none."""
    return replace(step, status=StepStatus.NO_ANSWER) if step.status is StepStatus.OPEN else step


def distinct(proposal: Proposal, concluding: bool, tools: SearchServices) -> list[DrawnStep]:
    """The different steps of a proposal, in the order in which they first came."""
    draws: dict[str, DrawnStep] = {}
    for candidate in proposal.candidates:
        steps = tools.format.parse(candidate)
        step = steps[0] if steps else Step(candidate.text, status=StepStatus.NO_ANSWER)
        step = stated(step) if concluding else step
        draws.setdefault(step.text, DrawnStep(step, len(candidate.token_ids))).many += 1
    return list(draws.values())


def attach_children(tree: Tree, index: int, children: Sequence[Node]) -> list[int]:
    """Add drafted children to a node, and those that it has already to their count; its children that are alive."""
    parent = tree.nodes[index]
    for node in children:
        twin = tree.child(index, node.step.text, node.action) if parent.draws and node.step else None
        if twin is None:
            parent.children.append(len(tree.nodes))
            tree.nodes.append(node)
        else:
            twin.multiplicity += node.multiplicity
    parent.draws += 1
    return tree.alive(index)


async def execute(tree: Tree, state: State, steps: Sequence[Step], tools: SearchServices) -> list[Step]:
    """The steps after their code ran, where they have code to run."""
    idle = [not step.code or step.terminal for step in steps]
    begun = [step for step, nothing in zip(steps, idle, strict=True) if not nothing]
    if not begun:
        return list(steps)
    tree.cost = tree.cost + Cost(executions=len(begun))
    done = iter(await tools.executor.run(state, begun))
    return [step if nothing else judged(next(done)) for step, nothing in zip(steps, idle, strict=True)]


def judged(step: Step) -> Step:
    """A step whose code did not run to its end is a CODE_ERROR."""
    if step.outcome in (Outcome.OK, Outcome.OUTPUT_TRUNCATED) or step.terminal:
        return step
    return replace(step, status=StepStatus.CODE_ERROR)


async def evaluate(
    tree: Tree, state: State, children: Sequence[Node], squash_scale: float, tools: SearchServices
) -> None:
    """Grade the children that carry an answer, where there is a grader; score all others that are alive, where there
    is a reward_model."""
    unscored: list[tuple[Node, State]] = []
    for node in children:
        if node.step is None or node.failed:
            continue
        if node.terminal and tools.grader is not None:
            node.correct = tools.grader.grade(tree.problem, node.answer)
        else:
            unscored.append((node, state.then(node.step)))
    if tools.reward_model is None or not unscored:
        return
    scores = await tools.reward_model.score([after for _, after in unscored])
    add_cost(tree, scores)
    for (node, _), logit in zip(unscored, scores.logits, strict=True):
        node.score = squash(logit, squash_scale)
