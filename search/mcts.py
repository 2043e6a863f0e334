"""Monte-Carlo tree search over steps (rStar-Math, section 3.2).

    for each rollout:
        select     walk from the root by UCT while nodes are expanded
        expand     draw candidates at the leaf, keep those whose code runs        (growth.py)
        … and go on selecting and expanding until a terminal step
        evaluate   +1 / -1 from the grader, or the score of the terminal step
        back up    add the value along the path

Small pure functions over an index-based tree, and one loop. Knows no engine: the tools bring them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from time import monotonic

from search.answers import canonical
from search.config import SearchConfig
from search.growth import WORST, Growth, expand
from search.protocols import Tools
from search.tree import ROOT, Node, Tree
from search.types import Cost, Problem


def uct(child: Node, parent: Node, exploration: float) -> float:
    """UCT(s) = Q(s) + c * sqrt(ln N(parent) / N(s)); N counts a prior score as one visit.

    Q 0.5, N 4, parent N 10, c 2 → 0.5 + 2 * sqrt(ln 10 / 4) = 2.017.
    """
    return child.q + exploration * math.sqrt(math.log(max(parent.weight, 1)) / child.weight)


def alive(tree: Tree, index: int) -> list[int]:
    """Children a walk may enter: those that did not fail."""
    nodes = tree.nodes
    return [i for i in tree.nodes[index].children if not (nodes[i].terminal and _answer(nodes[i]) is None)]


def _answer(node: Node) -> str | None:
    return node.step.answer if node.step else None


def select(tree: Tree, index: int, exploration: float, unvisited: str) -> int | None:
    """The child to walk to, first come first on ties; None where no child is alive."""
    parent, best, best_score = tree.nodes[index], None, -math.inf
    for i in alive(tree, index):
        node = tree.nodes[i]
        if node.weight:
            score = uct(node, parent, exploration)
        else:
            score = math.inf if unvisited == "first" else 0.0
        if score > best_score:
            best, best_score = i, score
    return best


def terminal_value(node: Node) -> float:
    """+1 or -1 for a graded answer, the process reward for an ungraded one, -1 without an answer."""
    if node.correct is not None:
        return 1.0 if node.correct else WORST
    if _answer(node) is None:
        return WORST
    return node.score or 0.0


def back_up(tree: Tree, index: int, value: float) -> None:
    """Add one visit and a value to a node and all its ancestors."""
    while index >= ROOT:
        tree.nodes[index].visits += 1
        tree.nodes[index].value_sum += value
        index = tree.nodes[index].parent


async def rollout(tree: Tree, config: SearchConfig, growth: Growth, tools: Tools) -> None:
    """One pass from the root to a terminal step or a dead end."""
    index = ROOT
    while not tree.nodes[index].terminal:
        if not tree.nodes[index].expanded:
            await expand(tree, index, growth, tools)
        child = select(tree, index, config.exploration, config.unvisited)
        if child is None:
            back_up(tree, index, WORST)
            return
        index = child
    back_up(tree, index, terminal_value(tree.nodes[index]))


def settled(tree: Tree, config: SearchConfig) -> bool:
    """Whether a budget is spent or enough was found."""
    if config.budget_tokens is not None and tree.cost.generated_tokens >= config.budget_tokens:
        return True
    if not config.enough_right and not config.enough_wrong:
        return False
    right = sum(node.correct is True for node in tree.nodes)
    wrong = sum(node.correct is False for node in tree.nodes)
    return right >= config.enough_right and wrong >= config.enough_wrong


def answer(tree: Tree, by: str) -> str | None:
    """The tree's answer: of the terminal with the best value, or by a vote weighted with (1 + value) / 2."""
    found = [(tree.nodes[i], terminal_value(tree.nodes[i])) for i in tree.terminals()]
    if not found:
        return None
    if by == "best":
        return _answer(max(found, key=lambda pair: pair[1])[0])
    votes: dict[str, float] = {}
    texts: dict[str, str] = {}
    for node, value in found:
        text = _answer(node) or ""
        texts.setdefault(canonical(text), text)
        votes[canonical(text)] = votes.get(canonical(text), 0.0) + (1 + value) / 2 * node.multiplicity
    return texts[max(votes, key=lambda key: votes[key])]


@dataclass(frozen=True, slots=True)
class Mcts:
    """The strategy "mcts"."""

    config: SearchConfig

    async def search(self, problem: Problem, tools: Tools, seed: int) -> Tree:
        """Grow one tree. Raises whatever the tools raise; a failing step is no exception but a node."""
        config, tree, began = self.config, Tree(problem, strategy="mcts", seed=seed), monotonic()
        growth = Growth(
            config.candidates,
            config.sampling(),
            config.max_depth,
            config.squash_scale,
            config.keep_failed,
            config.finish_first,
        )
        for _ in range(config.rollouts):
            await rollout(tree, config, growth, tools)
            if settled(tree, config):
                break
        tree.answer = answer(tree, config.answer_by)
        tree.cost = tree.cost + Cost(seconds=monotonic() - began)
        return tree
