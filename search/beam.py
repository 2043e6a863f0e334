"""Step beam search: one beam over the whole tree (Snell et al. 2024, arXiv 2408.03314, section 5.2)."""

from __future__ import annotations

from dataclasses import dataclass
from time import monotonic

from search.beams import Beam, carry_on
from search.config import SearchConfig
from search.protocols import Tools
from search.settling import settle
from search.tree import Tree
from search.types import Problem


@dataclass(frozen=True, slots=True)
class StepBeam:
    """The strategy "beam": at each depth ``candidates`` steps for each open solution, the ``beam_width`` best are kept.

    A finished solution among them stays and holds its place; one that is not kept goes on counting for the answer.
    The value is the process reward (``aggregate`` of those on the path), the grade where there is a grader; without
    either the step drawn most often is kept. ``budget_tokens`` is looked at before each depth: once it is spent no
    expansion begins, so it is overdrawn by ``beam_width`` expansions at most. ``rollouts`` has no meaning.
    """

    config: SearchConfig

    async def search(self, problem: Problem, tools: Tools, seed: int) -> Tree:
        """Grow one tree. Raises whatever the tools raise; a failing step is no exception but a node."""
        tree, began = Tree(problem, strategy="beam", seed=seed), monotonic()
        await carry_on(tree, [Beam(places=self.config.beam_width)], self.config, tools)
        return settle(tree, self.config, began)
