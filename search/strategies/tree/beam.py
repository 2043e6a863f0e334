"""Step beam search: the best solutions of each depth go on (Snell et al. 2024, arXiv 2408.03314, section 5.2).

while a beam has an open solution:
    expand     all open solutions of all beams, side by side         (core/expansion.py)
    keep       of each beam's new children the best, as many as it has places
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from time import monotonic
from typing import Literal

from pydantic import Field

from search.core.expansion import expand_all
from search.core.stopping import finalize, should_stop
from search.core.values import back_up, path_rank, terminal_value
from search.data import Aggregation, Problem
from search.evaluation.aggregation import Rank
from search.protocols import SearchServices
from search.strategies.entry import StrategyEntry
from search.strategies.tree.options import TreeConfig
from search.tree import ROOT, Tree


class BeamConfig(TreeConfig):
    """Options of the strategy "beam"."""

    strategy: Literal["beam"] = Field("beam", description="which strategy grows the tree")
    beam_width: int = Field(4, ge=1, description="solutions kept at each depth")


@dataclass(frozen=True, slots=True)
class StepBeam:
    """The strategy "beam": at each depth ``candidates`` steps for each open solution, the ``beam_width`` best are kept.

    A finished solution among them stays and holds its place; one that is not kept goes on counting for the answer.
    The value is the process reward (``step_aggregation`` of those on the path), the grade where there is a grader; without
    either the step drawn most often is kept. ``budget_tokens`` is checked before each depth: once it is exhausted no
    expansion begins, so it is overdrawn by ``beam_width`` expansions at most.
    """

    config: BeamConfig

    async def search(self, problem: Problem, services: SearchServices, seed: int) -> Tree:
        """Grow one tree. Raises whatever the services raise; a failing step is no exception but a node."""
        tree, started = Tree(problem, strategy="beam", seed=seed), monotonic()
        await extend_beams(tree, [Beam(places=self.config.beam_width)], self.config, services)
        return finalize(tree, self.config, started)


@dataclass(frozen=True, slots=True)
class Beam:
    """Solutions that go on side by side.

    Attributes:
        open: nodes at which they go on, best first.
        places: how many solutions there may be next; a finished one keeps its place and leaves one less to the open ones.
    """

    open: tuple[int, ...] = (ROOT,)
    places: int = 1


def keep(tree: Tree, beam: Beam, children: Sequence[int], aggregation: Aggregation) -> Beam:
    """Return the beam of the best children: by value (``path_rank``), then by how often they were drawn, then in order.

    Two places, children of value 0.9 (finished), 0.5 and 0.1 → one open, the 0.5, and one place.
    """

    def rank(child: int) -> tuple[Rank, int]:
        return path_rank(tree, child, aggregation), tree.nodes[child].multiplicity

    best = sorted(children, key=rank, reverse=True)[: beam.places]
    still_open = tuple(child for child in best if not tree.nodes[child].is_terminal)
    return Beam(still_open, beam.places - (len(best) - len(still_open)))


async def extend_beams(tree: Tree, beams: Sequence[Beam], config: TreeConfig, services: SearchServices) -> None:
    """Expand and keep until nothing is open or ``should_stop``; then back up every end once, so that Q is defined.

    All beams take a step together, so that the tree does not depend on any engine's speed.
    """
    expansion = config.expansion()
    while any(beam.open for beam in beams) and not should_stop(tree, config):
        parents = [parent for beam in beams for parent in beam.open]
        children = dict(zip(parents, await expand_all(tree, parents, expansion, services), strict=True))
        beams = [
            keep(tree, beam, [child for parent in beam.open for child in children[parent]], config.aggregation)
            for beam in beams
        ]
    back_up_ends(tree)


def back_up_ends(tree: Tree) -> None:
    """Back up every answer and every dead end once."""
    for index, node in enumerate(tree.nodes):
        if node.answer is not None or (node.is_expanded and not tree.live_children(index)):
            back_up(tree, index, terminal_value(node))


ENTRY = StrategyEntry(
    options=BeamConfig,
    build=StepBeam,
    bound=lambda config: config.bound(1 + (config.max_depth - 1) * config.beam_width),
    describe=lambda config: f"beam of {config.beam_width} x {config.candidates} candidates",
    budget_option="beam_width",
)
