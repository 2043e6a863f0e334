"""Monte-Carlo tree search over steps (rStar-Math, section 3.2), several rollouts at a time (WU-UCT, arXiv 1810.11755).

    for each rollout, parallel_rollouts of them under way at once:
        select     walk from the root by UCT while nodes are expanded; count a visit without a value on the way
        expand     draw candidates at the leaf, keep those whose code runs        (expansion.py)
                   or wait, where another rollout is just expanding it            (inflight.py)
                   draw again where a node's visits have outgrown what was drawn (progressive widening, ``widen``)
        … and go on selecting and expanding until a terminal step
        evaluate   +1 / -1 from the grader, or the score of the terminal step
        back up    add the value along the path, and take the visits without a value back

Small pure functions over an index-based tree, and one loop. Knows no engine: the tools bring them.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from functools import partial
from time import monotonic
from typing import Any

from search.concurrency import cancel_all
from search.config import SearchConfig
from search.core.expansion import ExpansionConfig, expand
from search.core.inflight import InflightRollouts
from search.core.stopping import finalize, should_stop
from search.core.values import back_up, terminal_value
from search.data import Problem
from search.protocols import SearchServices
from search.tree import ROOT, Node, Tree

NOBODY: Mapping[int, int] = {}

ExpandFn = Callable[[int], Coroutine[Any, Any, object]]  # gives a node its children
ValueFn = Callable[[int], float]  # the value of the node at which a rollout ended


def uct(child: Node, parent: Node, exploration: float, on_child: int = 0, on_parent: int = 0) -> float:
    """UCT(s) = Q(s) + c * sqrt(ln(N(parent) + O(parent)) / (N(s) + O(s))); N counts a prior score as one visit.

    O, here ``on_child`` and ``on_parent``, are visits by other rollouts that are still under way (WU-UCT, whose factor 2
    in the root is part of c here); Q knows nothing of them. Q 0.5, N 4, parent N 10, c 2 → 0.5 + 2 * sqrt(ln 10 / 4) =
    2.017; with three more rollouts at the parent, two of them at the child, 0.5 + 2 * sqrt(ln 13 / 6) = 1.808.
    """
    known = math.log(max(parent.weight + on_parent, 1))
    return child.q + exploration * math.sqrt(known / (child.weight + on_child))


def draws_due(node: Node, widen: float | None, on_node: int = 0) -> int:
    """How often candidates may have been drawn at a node before it is walked on from: once, or N ** widen times.

    Progressive widening (Coulom 2007); N counts visits, and ``on_node`` those of other rollouts still under way. Widen
    0.5: a second time when N is 4, a third time when it is 9.
    """
    return 1 if widen is None else max(1, math.floor((node.visits + on_node) ** widen))


def select(
    tree: Tree, index: int, exploration: float, unvisited: str, unobserved: Mapping[int, int] = NOBODY
) -> int | None:
    """The child to walk to; None where no child is alive. On ties the one with fewest rollouts under way, then the first.

    The rollout that selects counts in ``unobserved`` at ``index``, and is no other rollout.
    """
    parent, best, best_rank = tree.nodes[index], None, (-math.inf, 0)
    on_parent = max(unobserved.get(index, 0) - 1, 0)
    for i in tree.alive(index):
        node, here = tree.nodes[i], unobserved.get(i, 0)
        if node.weight or (here and unvisited == "first"):
            score = uct(node, parent, exploration, here, on_parent)
        else:
            score = math.inf if unvisited == "first" else 0.0
        if (score, -here) > best_rank:
            best, best_rank = i, (score, -here)
    return best


async def rollout(
    tree: Tree, config: SearchConfig, flight: InflightRollouts, expand_at: ExpandFn, worth: ValueFn
) -> None:
    """One pass from the root to a terminal step or a dead end."""
    index = ROOT
    with flight.walk() as enter:
        enter(index)
        while not tree.nodes[index].terminal:
            while tree.nodes[index].draws < draws_due(tree.nodes[index], config.widen, flight.unobserved[index] - 1):
                await flight.once(index, tree.nodes[index].draws, partial(expand_at, index))
            child = select(tree, index, config.exploration, config.unvisited, flight.unobserved)
            if child is None:
                break
            enter(child)
            index = child
        back_up(tree, index, worth(index))


async def run_rollouts(
    tree: Tree, config: SearchConfig, flight: InflightRollouts, expand_at: ExpandFn, worth: ValueFn
) -> None:
    """All rollouts, or those until the tree is settled. None is under way when this ends, however it does.

    The first error of a rollout is raised; it cancels the others.
    """
    begun, flight.alone = 0, config.parallel_rollouts == 1
    running: set[asyncio.Future[None]] = set()
    done: set[asyncio.Future[None]] = set()
    try:
        while not should_stop(tree, config):
            while begun < config.rollouts and len(running) < config.parallel_rollouts:
                running.add(asyncio.ensure_future(rollout(tree, config, flight, expand_at, worth)))
                begun += 1
            if not running:
                break
            done, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
            for over in done:
                over.result()
    finally:
        await cancel_all((*done, *running, *flight.expansions.values()))


async def grow(tree: Tree, config: SearchConfig, tools: SearchServices, flight: InflightRollouts) -> None:
    """The rollouts of rStar-Math: steps from the policy, values from grades and rewards."""
    growth = ExpansionConfig.of(config)
    await run_rollouts(
        tree,
        config,
        flight,
        lambda index: expand(tree, index, growth, tools),
        lambda index: terminal_value(tree.nodes[index]),
    )


@dataclass(frozen=True, slots=True)
class Mcts:
    """The strategy "mcts".

    ``rollouts`` counts passes from the root to an end. ``budget_tokens`` is looked at between them: once it is spent no
    rollout begins, a single one is finished, and of several under way all are cancelled as soon as the next is done.
    Tokens of cancelled requests are in no cost.
    """

    config: SearchConfig

    async def search(self, problem: Problem, tools: SearchServices, seed: int) -> Tree:
        """Grow one tree. Raises whatever the tools raise; a failing step is no exception but a node."""
        tree, began = Tree(problem, strategy="mcts", seed=seed), monotonic()
        await grow(tree, self.config, tools, InflightRollouts())
        return finalize(tree, self.config, began)
