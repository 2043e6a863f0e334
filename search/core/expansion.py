"""Expansion of a node: propose its children, then attach them.

One expansion, as every strategy runs it:

    propose_children    draw candidates from the policy and merge identical ones
                        run the code of those that the node has no child for
                        turn them into nodes; count failures; drop candidates as configured
                        grade terminal children, score the others by the reward model
    attach_children     append the new nodes; raise the multiplicity of existing children that were drawn again

``propose_children`` awaits the services and changes only ``tree.cost`` and ``tree.failures``; ``attach_children`` changes
the nodes without awaiting. So an expansion is atomic: if it fails or is cancelled, no node has changed. Expanding a node
again samples with a new seed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from search.concurrency import gather_or_cancel
from search.concurrency.tracing import Activity, span
from search.core.values import WORST
from search.data import Cost, Finish, Outcome, Proposal, Sampling, Scores, State, Step, StepStatus, Until
from search.grading.grader import grade
from search.protocols import SearchServices
from search.seeds import derive
from search.tree import ROOT, Node, Tree

NO_CANDIDATE = "no_candidate"  # the policy returned nothing because its context was full
BLANK = "blank_candidate"  # a candidate that was a blank line and nothing else


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpansionConfig:
    """Options of an expansion.

    ``keep_failed`` keeps candidates that ended without an answer as leaves of value -1. ``finish_first`` keeps only the
    first candidate with an answer, if there is one. ``solution_tokens`` is the allowance of a whole solution, of which a
    step at ``max_depth`` gets what the steps before it left (``last_step_sampling``).
    """

    candidates: int
    sampling: Sampling
    max_depth: int
    solution_tokens: int = 0
    squash_scale: float
    keep_failed: bool = True
    finish_first: bool = False


@dataclass(slots=True)
class DrawnStep:
    """A distinct step of a proposal: its tokens, how many candidates were identical to it, the version of the policy."""

    step: Step
    tokens: int
    multiplicity: int = 0
    version: int = 0


async def expand(tree: Tree, index: int, config: ExpansionConfig, services: SearchServices) -> list[int]:
    """Expand a node and return its live children: those that have not failed."""
    return attach_children(tree, index, await propose_children(tree, index, config, services))


async def expand_all(
    tree: Tree, indices: Sequence[int], config: ExpansionConfig, services: SearchServices
) -> list[list[int]]:
    """Expand nodes concurrently; return the live children of each.

    Children are attached in the order of ``indices``, whichever engine answers first.
    """
    proposed = await gather_or_cancel(propose_children(tree, index, config, services) for index in indices)
    return [attach_children(tree, index, children) for index, children in zip(indices, proposed, strict=True)]


async def propose_children(
    tree: Tree,
    index: int,
    config: ExpansionConfig,
    services: SearchServices,
    after: State | None = None,
    action: str = "",
) -> list[Node]:
    """Return children for a node, graded and scored but not attached.

    They continue ``after``, by default the node's own state, and carry ``action``. Steps that the node has a child for, by
    the same action, are returned without being run or scored: ``attach_children`` adds them to that child. Stating an
    answer is greedy, so a node that has been asked for its answer gets no further children.
    """
    state = tree.state(index) if after is None else after
    draws = tree.nodes[index].draws
    if draws and services.format.concluding(state):
        return []
    with span(Activity.EXPAND, node=index, depth=tree.nodes[index].depth):
        drawn = await draw_steps(tree, index, state, config, services, draws)
        return await make_children(tree, index, state, drawn, config, services, action)


async def draw_steps(
    tree: Tree, index: int, state: State, config: ExpansionConfig, services: SearchServices, attempt: int
) -> list[DrawnStep]:
    """Return the distinct steps of one request for candidates. ``attempt``: its number at the node, for its seed."""
    concluding = services.format.concluding(state)
    n = 1 if concluding else config.candidates
    to_the_end = tree.nodes[index].depth + 1 >= config.max_depth and not services.format.runs_code
    sampling = last_step_sampling(tree, index, config) if to_the_end else config.sampling
    sampling = replace(sampling, temperature=0.0) if concluding else sampling
    proposal = await services.policy.propose(state, n, sampling, node_seed(tree, index, attempt))
    add_cost(tree, proposal)
    if not proposal.candidates:
        count_failure(tree, NO_CANDIDATE)
    return merge_identical(tree, proposal, state, services, concluding, to_the_end)


async def make_children(
    tree: Tree,
    index: int,
    state: State,
    drawn_steps: Sequence[DrawnStep],
    config: ExpansionConfig,
    services: SearchServices,
    action: str = "",
) -> list[Node]:
    """Return children for distinct steps drawn at a node by ``action``: run, graded and scored, but not attached."""
    depth = tree.nodes[index].depth + 1
    repeated: list[DrawnStep] = []
    new: list[DrawnStep] = []
    for drawn in drawn_steps:
        (new if tree.find_child(index, drawn.step.text, action) is None else repeated).append(drawn)
    executed = await execute_steps(tree, state, [drawn.step for drawn in new], services)
    children = [
        make_node(tree, index, depth, replace(drawn, step=step), config.max_depth, action)
        for step, drawn in zip(executed, new, strict=True)
    ]
    if not config.keep_failed:
        children = [node for node in children if not node.is_failed]
    if config.finish_first:
        children = [node for node in children if node.answer is not None][:1] or children
    await evaluate_children(tree, state, children, config.squash_scale, services)
    again = [Node(index, drawn.step, depth, multiplicity=drawn.multiplicity, action=action) for drawn in repeated]
    return again + children


def attach_children(tree: Tree, index: int, children: Sequence[Node]) -> list[int]:
    """Add proposed children to a node and return its live children.

    A child equal to an existing one, by step text and action, raises that one's multiplicity instead.
    """
    parent = tree.nodes[index]
    for node in children:
        existing = tree.find_child(index, node.step.text, node.action) if parent.draws and node.step else None
        if existing is None:
            parent.children.append(len(tree.nodes))
            tree.nodes.append(node)
        else:
            existing.multiplicity += node.multiplicity
    parent.draws += 1
    return tree.live_children(index)


def last_step_sampling(tree: Tree, index: int, config: ExpansionConfig) -> Sampling:
    """Return how the step at ``max_depth`` is drawn in prose: to the end of the solution, with the tokens that are left.

    They are ``solution_tokens`` less those of the steps before, but at least those of one step.
    """
    written = sum(tree.nodes[i].tokens for i in tree.solution(index))
    left = max(config.solution_tokens - written, config.sampling.max_tokens)
    return replace(config.sampling, until=Until.PAUSE, max_tokens=left)


def merge_identical(
    tree: Tree, proposal: Proposal, state: State, services: SearchServices, concluding: bool, to_the_end: bool
) -> list[DrawnStep]:
    """Return the distinct steps of a proposal in the order of their first occurrence; count blank candidates.

    A candidate that was drawn ``to_the_end`` is one step as a whole. It and the step of ``concluding`` end the solution.
    """
    distinct: dict[str, DrawnStep] = {}
    for candidate in proposal.candidates:
        steps = services.format.parse(candidate, state)
        if not steps and candidate.finish is Finish.STOP:
            count_failure(tree, BLANK)
            continue
        steps = steps or (Step(candidate.text, status=StepStatus.NO_ANSWER),)
        step = join_steps(steps) if to_the_end else steps[0]
        step = require_answer(step) if concluding or to_the_end else step
        if step.text not in distinct:
            (step,) = services.keep_ids((step,), candidate)
            distinct[step.text] = DrawnStep(step, len(candidate.token_ids), version=proposal.version)
        distinct[step.text].multiplicity += 1
    return list(distinct.values())


def join_steps(steps: Sequence[Step]) -> Step:
    """Return steps as one, which ends as the last of them does; a single one is returned as it is."""
    *before, last = steps
    return replace(last, text="".join(step.text for step in steps)) if before else last


def require_answer(step: Step) -> Step:
    """Return a step that had to end the solution with status NO_ANSWER if it is still open."""
    return replace(step, status=StepStatus.NO_ANSWER) if step.status is StepStatus.OPEN else step


async def execute_steps(tree: Tree, state: State, steps: Sequence[Step], services: SearchServices) -> list[Step]:
    """Return the steps after their code ran. Terminal steps and steps without code are returned as they are."""
    runnable = [bool(step.code) and not step.is_terminal for step in steps]
    programs = [step for step, runs in zip(steps, runnable, strict=True) if runs]
    if not programs:
        return list(steps)
    tree.cost = tree.cost + Cost(executions=len(programs))
    executed = iter(await services.executor.run(state, programs))
    return [mark_code_error(next(executed)) if runs else step for step, runs in zip(steps, runnable, strict=True)]


def mark_code_error(step: Step) -> Step:
    """Return a step whose code did not run to its end with status CODE_ERROR, any other unchanged.

    OUTPUT_TRUNCATED is such an end too: the program was stopped at the limit, so no later step can continue it.
    """
    if step.outcome is Outcome.OK or step.is_terminal:
        return step
    return replace(step, status=StepStatus.CODE_ERROR)


def make_node(tree: Tree, parent: int, depth: int, drawn: DrawnStep, max_depth: int, action: str = "") -> Node:
    """Return the node of a drawn step. A failed one is counted in ``tree.failures`` and has one visit of value -1."""
    step = drawn.step
    if step.status is StepStatus.OPEN and depth >= max_depth:
        step = replace(step, status=StepStatus.TOO_DEEP)
    node = Node(parent, step, depth, multiplicity=drawn.multiplicity, tokens=drawn.tokens, version=drawn.version)
    node.action = action
    if node.is_failed:
        count_failed_step(tree, step)
        node.visits, node.value_sum = 1, WORST
    return node


async def evaluate_children(
    tree: Tree, state: State, children: Sequence[Node], squash_scale: float, services: SearchServices
) -> None:
    """Grade terminal children if there is a grader; score all other live ones if there is a reward model."""
    unscored: list[tuple[Node, State]] = []
    for node in children:
        if node.step is None or node.is_failed:
            continue
        if node.is_terminal and services.grader is not None:
            node.correct = await grade(services.grader, tree.problem, node.answer)
        else:
            unscored.append((node, state.then(node.step)))
    if services.reward_model is None or not unscored:
        return
    scores = await services.reward_model.score([child_state for _, child_state in unscored])
    add_cost(tree, scores)
    for (node, _), logit in zip(unscored, scores.logits, strict=True):
        node.logit, node.squash_scale = logit, squash_scale


def node_seed(tree: Tree, index: int, attempt: int = 0) -> int:
    """Return a seed that depends on the node's place in the tree, not on the order in which engines answered."""
    path = [ROOT, *tree.path(index)]
    places = [tree.nodes[parent].children.index(child) for parent, child in pairwise(path)]
    return derive(tree.seed, *places, attempt)


def add_cost(tree: Tree, response: Proposal | Scores) -> None:
    """Add the tokens of one engine response to the tree's cost."""
    if isinstance(response, Proposal):
        cost = Cost(
            generated_tokens=response.generated_tokens,
            prompt_tokens=response.prompt_tokens,
            cached_tokens=response.cached_tokens,
            requests=1,
        )
    else:
        cost = Cost(
            scored_tokens=response.prompt_tokens,
            scored_cached_tokens=response.cached_tokens,
            scored_states=len(response.logits),
            requests=1,
            reward_model_requests=1,
        )
    tree.cost = tree.cost + cost


def count_failure(tree: Tree, reason: str) -> None:
    """Count a failure in ``tree.failures``."""
    tree.failures[reason] = tree.failures.get(reason, 0) + 1


def count_failed_step(tree: Tree, step: Step) -> None:
    """Count a step that ended its solution without an answer, by the reason."""
    count_failure(tree, step.outcome if step.status is StepStatus.CODE_ERROR else step.status)
