"""Step beam search: one beam over the whole tree (Snell et al. 2024, arXiv 2408.03314, section 5.2)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from time import monotonic

from search.config import SearchConfig
from search.core.expansion import ExpansionConfig, expand_all
from search.core.stopping import finalize, should_stop
from search.core.values import back_up, path_value, terminal_value
from search.data import Problem
from search.evaluation.voting import Aggregation
from search.protocols import SearchServices
from search.tree import ROOT, Tree


@dataclass(frozen=True, slots=True)
class StepBeam:
    """The strategy "beam": at each depth ``candidates`` steps for each open solution, the ``beam_width`` best are kept.

    A finished solution among them stays and holds its place; one that is not kept goes on counting for the answer.
    The value is the process reward (``aggregate`` of those on the path), the grade where there is a grader; without
    either the step drawn most often is kept. ``budget_tokens`` is looked at before each depth: once it is spent no
    expansion begins, so it is overdrawn by ``beam_width`` expansions at most. ``rollouts`` has no meaning.
    """

    config: SearchConfig

    async def search(self, problem: Problem, tools: SearchServices, seed: int) -> Tree:
        """Grow one tree. Raises whatever the tools raise; a failing step is no exception but a node."""
        tree, began = Tree(problem, strategy="beam", seed=seed), monotonic()
        await carry_on(tree, [Beam(places=self.config.beam_width)], self.config, tools)
        return finalize(tree, self.config, began)


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


async def carry_on(tree: Tree, beams: Sequence[Beam], config: SearchConfig, tools: SearchServices) -> None:
    """Expand and keep until nothing is open or the tree is settled; then back every end up once, so that Q stands.

    All beams take a step together: which nodes there are depends on no engine's speed, with a budget either.
    """
    growth = ExpansionConfig.of(config)
    while any(beam.open for beam in beams) and not should_stop(tree, config):
        parents = [parent for beam in beams for parent in beam.open]
        drawn = dict(zip(parents, await expand_all(tree, parents, growth, tools), strict=True))
        beams = [
            keep(tree, beam, [child for parent in beam.open for child in drawn[parent]], config.aggregate)
            for beam in beams
        ]
    for index, node in enumerate(tree.nodes):
        if node.answer is not None or (node.expanded and not tree.alive(index)):
            back_up(tree, index, terminal_value(node))
