"""Run one rollout of AB-MCTS-A: go into children, draw to an end, and update the arms on the path by the end's score."""

from __future__ import annotations

import random
from dataclasses import dataclass, field, replace

from search.concurrency.tracing import Activity, span
from search.core.expansion import attach_children, node_seed, propose_children
from search.core.values import WORST, back_up, path_rank, terminal_value
from search.protocols import Policy, SearchServices
from search.seeds import derive
from search.strategies.tree.ab_mcts.arms import TreeArms
from search.strategies.tree.ab_mcts.config import AbMctsConfig
from search.strategies.tree.prompted_policy import PromptedPolicy
from search.tree import ROOT, Node, Tree


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """A tree that grows, with the policies that draw by the names that nodes carry."""

    tree: Tree
    config: AbMctsConfig
    services: SearchServices
    policies: dict[str, Policy]
    arms: TreeArms


@dataclass(slots=True)
class Path:
    """The path of a rollout: the children it went into, and then those it drew and went on from, each with its parent.

    ``new``: all drawn nodes that were not there before. ``index``: where it stands.
    """

    index: int = ROOT
    entered: list[tuple[int, int]] = field(default_factory=list)
    drawn: list[tuple[int, int | None]] = field(default_factory=list)
    new: list[int] = field(default_factory=list)
    policy: str = ""


async def rollout(search: Search, number: int) -> None:
    """Run rollout ``number``: select, draw, score and update."""
    with span(Activity.ROLLOUT, number=number):
        with span(Activity.SELECT):
            path = select(search)
        await draw_to_an_end(search, path, number)
        with span(Activity.BACK_UP):
            update(search, path)


async def draw_to_an_end(search: Search, path: Path, number: int) -> None:
    """Draw steps at the end of a path until there is nothing to go on from, or a score where one is enough."""
    tree = search.tree
    policy = PromptedPolicy(search.policies[path.policy], f"rollout {number}")
    services = replace(search.services, policy=policy)
    while not tree.nodes[path.index].is_terminal:
        child = await draw(search, path, services)
        path.drawn.append((path.index, child))
        if child is None:
            break
        path.index = child
        if search.config.draw_until == "score" and tree.nodes[child].logit is not None:
            break


def select(search: Search) -> Path:
    """Go from the root into children until a node chooses to draw; return the path and the policy that draws."""
    tree, arms, path = search.tree, search.arms, Path()
    while True:
        here = arms.at(path.index)
        children = {i: tree.nodes[i].action for i in tree.nodes[path.index].children if not is_closed(search, i)}
        choice = arms.choose(path.index, children, random.Random(derive(node_seed(tree, path.index), here.choices)))
        here.choices += 1
        if isinstance(choice, str):
            path.policy = choice
            return path
        path.entered.append((path.index, choice))
        path.index = choice


def is_closed(search: Search, index: int) -> bool:
    """Return whether nothing more can be drawn below a node: the solution has ended, or its answer, a greedy draw, is there."""
    return search.tree.nodes[index].is_terminal or is_concluded(search, index)


def is_concluded(search: Search, index: int) -> bool:
    """Return whether a node's program has run and the policy was asked for the answer, which it states only once."""
    return search.tree.nodes[index].draws > 0 and search.services.format.concluding(search.tree.state(index))


async def draw(search: Search, path: Path, services: SearchServices) -> int | None:
    """Draw steps at the end of a path and return the best one's node, which may have been drawn before; None without one.

    The best is the one of the highest value; of those without one, or of equals, the one drawn most often, then the first.
    """
    tree, index, config = search.tree, path.index, search.config
    if is_concluded(search, index):
        return next(iter(tree.nodes[index].children), None)
    children = await propose_children(tree, index, config.expansion(), services, action=path.policy)
    first_new = len(tree.nodes)
    attach_children(tree, index, children)
    drawn = {node.step.text: node.multiplicity for node in children if node.step is not None}
    times = {i: drawn[text] for i in tree.nodes[index].children if (text := drawn_text(tree.nodes[i], path)) in drawn}
    path.new += [child for child in times if child >= first_new]
    live = [child for child in times if not tree.nodes[child].is_failed] or list(times)
    return max(live, key=lambda child: (path_rank(tree, child, config.aggregation), times[child]), default=None)


def drawn_text(node: Node, path: Path) -> str | None:
    """Return the step of a node that the path's policy drew, None for another policy's."""
    return node.step.text if node.step is not None and node.action == path.policy else None


def update(search: Search, path: Path) -> None:
    """Back the value up, and update the arms that the rollout pulled by its score.

    The arm of a new child begins with the child's score by the reward model, also where another one went on. At the end of
    the path that is the score of the rollout, which then counts once.
    """
    tree, arms, end = search.tree, search.arms, search.tree.nodes[path.index]
    value = rollout_value(end) if path.drawn[-1][1] is not None else WORST
    back_up(tree, end.parent if end.is_failed else path.index, value)  # a failed step has the value -1 from the start
    score = (1 + value) / 2
    for parent, child in path.entered:
        arms.record_visit(parent, tree.nodes[child].action, score)
        arms.record_child(parent, child, score)
    scored = [child for child in path.new if tree.nodes[child].score is not None]
    for child in scored:
        arms.record_child(tree.nodes[child].parent, child, (1 + (tree.nodes[child].score or 0.0)) / 2)
    for parent, drawn in path.drawn:
        arms.record_draw(parent, path.policy, score)
        if drawn is not None and not (drawn == path.index and drawn in scored):
            arms.record_child(parent, drawn, score)
    arms.record_policy(path.policy, score)


def rollout_value(end: Node) -> float:
    """Return the value of the node at which a rollout ended: of a finished solution, or of a step that was scored."""
    return terminal_value(end) if end.is_terminal or end.score is None else end.score
