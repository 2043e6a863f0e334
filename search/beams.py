"""Beams: a few solutions carried on side by side, of which only the best are kept at each depth.

    while a beam has an open solution:
        expand     all open solutions of all beams, side by side        (growth.py)
        keep       of each beam's new children the best, as many as it has places

What beam.py and dvts.py share: they differ in how many beams there are and how wide. Knows neither of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from search.config import SearchConfig
from search.growth import Growth, expand_all
from search.protocols import Tools
from search.settling import settled
from search.tree import ROOT, Tree
from search.values import back_up, path_value, terminal_value
from search.voting import Aggregation


@dataclass(frozen=True, slots=True)
class Beam:
    """``open``: nodes at which the kept solutions go on, best first. ``places``: how many solutions there may be next.

    A finished solution keeps its place and leaves one less to the open ones.
    """

    open: tuple[int, ...] = (ROOT,)
    places: int = 1


def keep(tree: Tree, beam: Beam, children: Sequence[int], how: Aggregation) -> Beam:
    """The beam after its children were ranked: by value, then by how often they were drawn, then first come first.

    Two places, children of value 0.9 (finished), 0.5 and 0.1 → one open, the 0.5, and one place.
    """

    def rank(child: int) -> tuple[float, int]:
        return path_value(tree, child, how), tree.nodes[child].multiplicity

    best = sorted(children, key=rank, reverse=True)[: beam.places]
    still_open = tuple(child for child in best if not tree.nodes[child].terminal)
    return Beam(still_open, beam.places - (len(best) - len(still_open)))


async def carry_on(tree: Tree, beams: Sequence[Beam], config: SearchConfig, tools: Tools) -> None:
    """Expand and keep until nothing is open or the tree is settled; then back every end up once, so that Q stands.

    All beams take a step together: which nodes there are depends on no engine's speed, with a budget either.
    """
    growth = Growth.of(config)
    while any(beam.open for beam in beams) and not settled(tree, config):
        parents = [parent for beam in beams for parent in beam.open]
        drawn = dict(zip(parents, await expand_all(tree, parents, growth, tools), strict=True))
        beams = [
            keep(tree, beam, [child for parent in beam.open for child in drawn[parent]], config.aggregate)
            for beam in beams
        ]
    for index, node in enumerate(tree.nodes):
        if node.answer is not None or (node.expanded and not tree.alive(index)):
            back_up(tree, index, terminal_value(node))
