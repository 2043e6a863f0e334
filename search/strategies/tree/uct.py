"""Rollouts by UCT over steps (rStar-Math, section 3.2), several at a time (WU-UCT, arXiv 1810.11755).

for each rollout, parallel_rollouts of them at once:
    select     descend by UCT while nodes are expanded; count an unobserved visit on the way
    expand     let ``expand_at`` give the leaf its children,
               or wait for another rollout that is expanding it           (core/inflight.py)
               expand again where a node's visits outgrew its draws       (progressive widening)
    … repeat until a terminal step or a dead end
    evaluate   ``value_of`` the end
    back up    add the value along the path, and take the unobserved visits back
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Coroutine, Mapping
from functools import partial
from typing import Any

from search.concurrency import cancel_all
from search.core.inflight import InflightRollouts
from search.core.stopping import should_stop
from search.core.values import back_up
from search.strategies.tree.options import RolloutConfig
from search.tree import ROOT, Node, Tree

NO_ROLLOUTS: Mapping[int, int] = {}

ExpandFn = Callable[[int], Coroutine[Any, Any, object]]  # gives the node of that index its children
ValueFn = Callable[[int], float]  # value of the node at which a rollout ended


def uct(child: Node, parent: Node, exploration: float, on_child: int = 0, on_parent: int = 0) -> float:
    """Return Q(s) + c * sqrt(ln(N(parent) + O(parent)) / (N(s) + O(s))), where N counts a prior score as one visit.

    O, here ``on_child`` and ``on_parent``, counts visits by other rollouts whose value is still to come (WU-UCT, whose
    factor 2 in the root is part of c here); Q leaves them out. Q 0.5, N 4, parent N 10, c 2 → 0.5 + 2 * sqrt(ln 10 / 4) =
    2.017; with three more rollouts at the parent, two of them at the child, 0.5 + 2 * sqrt(ln 13 / 6) = 1.808.
    """
    log_parent_visits = math.log(max(parent.weight + on_parent, 1))
    return child.q + exploration * math.sqrt(log_parent_visits / (child.weight + on_child))


def draws_due(node: Node, progressive_widening: float | None, on_node: int = 0) -> int:
    """Return how often a node's candidates may have been drawn before a rollout goes on: once, or N ** widening times.

    Progressive widening (Coulom 2007). N counts visits and ``on_node`` other rollouts in flight. Widening 0.5: a second
    draw when N is 4, a third when it is 9.
    """
    if progressive_widening is None:
        return 1
    return max(1, math.floor(math.pow(node.visits + on_node, progressive_widening)))


def select(
    tree: Tree, index: int, exploration: float, unvisited_value: str, unobserved: Mapping[int, int] = NO_ROLLOUTS
) -> int | None:
    """Return the child with the highest UCT score, or None if all have failed.

    Ties go to the child with the fewest rollouts in flight, then to the first. ``unobserved`` counts the rollout that
    selects at ``index`` too.
    """
    parent, best, best_rank = tree.nodes[index], None, (-math.inf, 0)
    on_parent = max(unobserved.get(index, 0) - 1, 0)
    for i in tree.live_children(index):
        node, on_child = tree.nodes[i], unobserved.get(i, 0)
        if node.weight or (on_child and unvisited_value == "inf"):
            score = uct(node, parent, exploration, on_child, on_parent)
        else:
            score = math.inf if unvisited_value == "inf" else 0.0
        if (score, -on_child) > best_rank:
            best, best_rank = i, (score, -on_child)
    return best


async def rollout(
    tree: Tree,
    config: RolloutConfig,
    inflight: InflightRollouts,
    expand_at: ExpandFn,
    value_of: ValueFn,
    progressive_widening: float | None = None,
) -> None:
    """Run one pass from the root to a terminal step or a dead end."""
    index = ROOT
    with inflight.descend() as enter:
        enter(index)
        while not tree.nodes[index].is_terminal:
            node = tree.nodes[index]
            while node.draws < draws_due(node, progressive_widening, inflight.unobserved[index] - 1):
                await inflight.run_shared(index, node.draws, partial(expand_at, index))
            child = select(tree, index, config.exploration, config.unvisited_value, inflight.unobserved)
            if child is None:
                break
            enter(child)
            index = child
        back_up(tree, index, value_of(index))


async def run_rollouts(
    tree: Tree,
    config: RolloutConfig,
    expand_at: ExpandFn,
    value_of: ValueFn,
    progressive_widening: float | None = None,
    inflight: InflightRollouts | None = None,
) -> None:
    """Run all rollouts, or those until ``should_stop``. None is in flight when this returns or raises.

    The first error of a rollout is raised; it cancels the others.
    """
    inflight = inflight or InflightRollouts()
    inflight.sequential = config.parallel_rollouts == 1
    begun = 0
    running: set[asyncio.Future[None]] = set()
    done: set[asyncio.Future[None]] = set()
    try:
        while not should_stop(tree, config):
            while begun < config.rollouts and len(running) < config.parallel_rollouts:
                task = rollout(tree, config, inflight, expand_at, value_of, progressive_widening)
                running.add(asyncio.ensure_future(task))
                begun += 1
            if not running:
                break
            done, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
            for finished in done:
                finished.result()
    finally:
        await cancel_all((*done, *running, *inflight.expansions.values()))
