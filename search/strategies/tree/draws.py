"""Draw one depth of a search that takes all its solutions a step further together: beam, dvts and rebase.

A node may be drawn from by several requests at once, as when two subtrees of dvts stand at the same step. Equal steps stay
*one* node, as everywhere in a tree: its multiplicity says how many candidates of all requests it stands for, so votes and
shares of the policy count each of them, and step pairs never compare a step with itself. Which request drew how many of
them is kept outside the tree, in one ``Drawn`` for each request, for as long as the search needs it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from search.concurrency import gather_or_cancel
from search.concurrency.tracing import Activity, span
from search.core.completion import UNLIMITED
from search.core.expansion import DrawnStep, ExpansionConfig, attach_children, draw_steps, make_children
from search.core.lookahead import score_ahead
from search.core.values import WORST
from search.protocols import SearchServices
from search.strategies.sampling.solutions import draw_solutions, score_solutions
from search.strategies.tree.options import TreeConfig
from search.tree import Node, Tree


@dataclass(frozen=True, slots=True)
class Draw:
    """A request for a number of ``candidates`` that continue a ``node``."""

    node: int
    candidates: int


Drawn = Mapping[int, int]  # of one request: the live children that it drew, and how many of its candidates each was


async def take_step(
    tree: Tree, draws: Sequence[Draw], config: TreeConfig, services: SearchServices, lookahead: int = 0
) -> list[Drawn]:
    """Draw from nodes of one depth side by side; return what each request drew.

    At the last depth all that is drawn ends there: prose is written to its end in one step, a program in as many as it
    takes (``write_programs``). With ``lookahead`` and a reward model steps are scored ahead (core/lookahead.py).
    """
    expansion, reward_model, first_new = config.expansion(), services.reward_model, len(tree.nodes)
    programs = [draw for draw in draws if is_last_program(tree, draw.node, config, services)]
    if programs:
        await write_programs(tree, programs, config, services)
        rest = [draw for draw in draws if draw not in programs]
        answers = iter(await draw_side_by_side(tree, rest, expansion, services))
        return [{} if draw in programs else next(answers) for draw in draws]
    if not lookahead or reward_model is None:
        return await draw_side_by_side(tree, draws, expansion, services)
    unscored = replace(services, reward_model=None)
    drawn = await draw_side_by_side(tree, draws, expansion, unscored)
    await score_ahead(tree, range(first_new, len(tree.nodes)), lookahead, expansion, unscored, reward_model)
    return drawn


def is_last_program(tree: Tree, node: int, config: TreeConfig, services: SearchServices) -> bool:
    """Return whether what continues a node is code at ``max_depth``; the answer after a program is none."""
    is_last = tree.nodes[node].depth + 1 >= config.max_depth
    return is_last and services.format.runs_code and not services.format.concluding(tree.state(node))


async def write_programs(tree: Tree, draws: Sequence[Draw], config: TreeConfig, services: SearchServices) -> None:
    """Write the programs of all draws to their ends, run them and state their answers, as samples are drawn.

    Their steps may lie below ``max_depth``. One node after the other, so that the tree does not depend on any engine's
    speed; requests at one node are one.
    """
    candidates: dict[int, int] = {}
    for draw in draws:
        candidates[draw.node] = candidates.get(draw.node, 0) + draw.candidates
    unlimited = config.model_copy(update={"max_depth": UNLIMITED})
    for node, n in candidates.items():
        ends = await draw_solutions(tree, unlimited, n, services, node)
        await score_solutions(tree, ends, config.aggregation, config.squash_scale, services)
        tree.nodes[node].draws = 1
        for end in (tree.nodes[i] for i in ends):
            if end.is_failed:
                end.visits, end.value_sum = 1, WORST


async def draw_side_by_side(
    tree: Tree, draws: Sequence[Draw], config: ExpansionConfig, services: SearchServices
) -> list[Drawn]:
    """Send all requests at once, attach what they drew, and return for each its live children.

    Requests at one node have seeds of their own, and its children are run and scored once. Nodes get their children in the
    order of ``draws``, whichever engine answers first.
    """
    requests: dict[int, list[int]] = {}
    for number, draw in enumerate(draws):
        requests.setdefault(draw.node, []).append(number)
    proposed = await gather_or_cancel(
        _propose(tree, node, [draws[i].candidates for i in numbers], config, services)
        for node, numbers in requests.items()
    )
    drawn: list[Drawn] = [{} for _ in draws]
    for (node, numbers), (steps_of_requests, sent, children) in zip(requests.items(), proposed, strict=True):
        attach_children(tree, node, children)
        tree.nodes[node].draws += sent - 1
        live = {text_of(tree, child): child for child in tree.live_children(node)}
        for number, steps in zip(numbers, steps_of_requests, strict=True):
            drawn[number] = {live[s.step.text]: s.multiplicity for s in steps if s.step.text in live}
    return drawn


def text_of(tree: Tree, index: int) -> str:
    """Return the text of a node's step."""
    step = tree.nodes[index].step
    return "" if step is None else step.text


async def _propose(
    tree: Tree, node: int, candidates: Sequence[int], config: ExpansionConfig, services: SearchServices
) -> tuple[list[list[DrawnStep]], int, list[Node]]:
    """Return the distinct steps of each request at a node, how many were sent, and the children that they make together.

    An answer after a program is stated greedily: once for all requests, and it counts for all their candidates.
    """
    with span(Activity.EXPAND, node=node, depth=tree.nodes[node].depth):
        state, sent = tree.state(node), len(candidates)
        if services.format.concluding(state):
            sent, steps = 1, await draw_steps(tree, node, state, config, services, 0)
            steps_of_requests = [[replace(step, multiplicity=n) for step in steps] for n in candidates]
        else:
            steps_of_requests = await gather_or_cancel(
                draw_steps(tree, node, state, replace(config, candidates=n), services, number)
                for number, n in enumerate(candidates)
            )
        merged: dict[str, DrawnStep] = {}
        for drawn in (drawn for steps in steps_of_requests for drawn in steps):
            same = merged.setdefault(drawn.step.text, replace(drawn, multiplicity=0))
            same.multiplicity += drawn.multiplicity
        return steps_of_requests, sent, await make_children(tree, node, state, list(merged.values()), config, services)
