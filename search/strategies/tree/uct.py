"""Rollouts by UCT over steps (rStar-Math, section 3.2), several at a time (WU-UCT, arXiv 1810.11755).

for each rollout, parallel_rollouts of them at once:
    select     descend by UCT while nodes are expanded; count an unobserved visit on the way
    expand     let ``expand_at`` give the leaf its children,
               or wait for another rollout that is expanding it           (core/inflight.py)
               expand again where a node's visits outgrew its draws       (progressive widening)
    … repeat until a terminal step, a dead end, or a node of which nothing can be entered any more
    evaluate   ``value_of`` the end
    back up    add the value along the path, and take the unobserved visits back
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Coroutine, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from search.concurrency import cancel_all, run_at_once
from search.concurrency.tracing import Activity, span
from search.core.inflight import InflightRollouts
from search.core.stopping import should_stop
from search.core.values import back_up
from search.strategies.tree.options import RolloutConfig
from search.tree import ROOT, Node, Tree

NO_ROLLOUTS: Mapping[int, int] = {}

ExpandFn = Callable[[int], Coroutine[Any, Any, object]]  # gives the node of that index its children
ValueFn = Callable[[int], float]  # value of the node at which a rollout ended
OrderFn = Callable[[int], int]  # place of an unvisited child among its siblings: the highest is entered first


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
    tree: Tree,
    index: int,
    exploration: float,
    unvisited_value: str,
    unobserved: Mapping[int, int] = NO_ROLLOUTS,
    *,
    closed: Collection[int] = (),
    order: OrderFn | None = None,
) -> int | None:
    """Return the child with the highest UCT score; None if all have failed or are ``closed``.

    Ties go to the child with the fewest rollouts in flight, then to the first, of unvisited children to the highest by
    ``order``. ``unobserved`` counts the rollout that selects at ``index`` too.
    """
    parent, best, best_rank = tree.nodes[index], None, (-math.inf, 0, 0)
    on_parent = max(unobserved.get(index, 0) - 1, 0)
    for i in tree.live_children(index):
        if i in closed:
            continue
        node, on_child, place = tree.nodes[i], unobserved.get(i, 0), 0
        if node.weight or (on_child and unvisited_value == "inf"):
            score = uct(node, parent, exploration, on_child, on_parent)
        else:
            score = math.inf if unvisited_value == "inf" else 0.0
            place = order(i) if order is not None else 0
        if (score, -on_child, place) > best_rank:
            best, best_rank = i, (score, -on_child, place)
    return best


@dataclass(slots=True, kw_only=True)
class Rollouts:
    """The rollouts of one tree.

    Attributes:
        tree, config: what they grow, and how many of them.
        expand_at: gives a node its children.
        value_of: value of a finished solution or of a dead end.
        progressive_widening: see ``draws_due``.
        reenter: a finished solution, and a node of which nothing can be entered any more, may be entered again.
        back_up_at_creation: a finished solution is backed up once, when it is created, and nothing at the end of a rollout.
        order: in which unvisited children are entered; None: as they were created.
        inflight: what rollouts at the same time share.
        closed: nodes that no rollout enters any more.
    """

    tree: Tree
    config: RolloutConfig
    expand_at: ExpandFn
    value_of: ValueFn
    progressive_widening: float | None = None
    reenter: bool = True
    back_up_at_creation: bool = False
    order: OrderFn | None = None
    inflight: InflightRollouts = field(default_factory=InflightRollouts)
    closed: set[int] = field(default_factory=set)

    async def run(self) -> None:
        """Run all rollouts, or those until ``should_stop``. None is in flight when this returns or raises.

        Once the tree should stop, no rollout begins. A single one goes on to its end. Of several in flight none draws
        again: requests in flight are answered and counted, their children are attached, and a rollout that would have to
        draw ends without a value. The first error of a rollout is raised; it cancels the others.
        """
        config = self.config
        self.inflight.sequential = config.parallel_rollouts == 1
        try:
            await run_at_once(self._run_one, config.rollouts, config.parallel_rollouts, self._is_over)
        finally:
            await cancel_all(self.inflight.expansions.values())

    def _is_over(self) -> bool:
        return ROOT in self.closed or should_stop(self.tree, self.config)

    async def _run_one(self, number: int) -> None:
        """Run one pass from the root to an end. Passes are alike, whatever their ``number``: it only names the pass."""
        tree, index = self.tree, ROOT
        with span(Activity.ROLLOUT, number=number), self.inflight.descend() as enter:
            enter(index)
            while True:
                with span(Activity.SELECT):
                    index, is_end = self._descend(index, enter)
                if is_end:
                    break
                while tree.nodes[index].draws < self._draws_due(index):
                    if not self.inflight.sequential and should_stop(tree, self.config):
                        return
                    await self.inflight.run_shared(index, tree.nodes[index].draws, partial(self._expand, index))
            with span(Activity.BACK_UP):
                self._end_at(index)

    def _descend(self, index: int, enter: Callable[[int], None]) -> tuple[int, bool]:
        """Select from a node down; return the node reached, which is due to be expanded, or True: the rollout ends there."""
        tree, config = self.tree, self.config
        while not tree.nodes[index].is_terminal:
            if tree.nodes[index].draws < self._draws_due(index):
                return index, False
            child = select(
                tree,
                index,
                config.exploration,
                config.unvisited_value,
                self.inflight.unobserved,
                closed=self.closed,
                order=self.order,
            )
            if child is None:
                break
            enter(child)
            index = child
        return index, True

    def _draws_due(self, index: int) -> int:
        others = self.inflight.unobserved[index] - 1
        return draws_due(self.tree.nodes[index], self.progressive_widening, others)

    async def _expand(self, index: int) -> None:
        """Give a node children; back up those of them that are finished solutions, if they are due at their creation."""
        children = self.tree.nodes[index].children
        known = len(children)
        await self.expand_at(index)
        if self.back_up_at_creation:
            for child in children[known:]:
                if self.tree.nodes[child].answer is not None:
                    back_up(self.tree, child, self.value_of(child))
                    self.closed.add(child)

    def _end_at(self, index: int) -> None:
        """Back up the value of a rollout's end, unless all that is below it has been backed up already."""
        is_exhausted = not self.tree.nodes[index].is_terminal and bool(self.tree.live_children(index))
        if not self.back_up_at_creation and not is_exhausted:
            back_up(self.tree, index, self.value_of(index))
        if not self.reenter:
            self.closed.add(index)
