"""Step beam search: the best solutions of each depth go on (Snell et al. 2024, arXiv 2408.03314, section 5.2).

while a beam has an open solution:
    draw       candidates times places, dealt to the open solutions; at the root all of them from the question   (draws.py)
    score      each candidate, or the end of a greedy lookahead after it                            (core/lookahead.py)
    keep       of each beam's new steps the best, as many as it has places

Names: N and M of Snell et al. are n and beam_width of the code search-and-learn. It keeps n / beam_width solutions and draws
beam_width candidates for each; here these numbers are ``beam_width`` (kept) and ``candidates``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from time import monotonic
from typing import Any, Literal

from pydantic import Field

from search.core.stopping import finalize, should_stop
from search.core.values import back_up, path_rank, terminal_value
from search.data import Aggregation, Problem
from search.evaluation.aggregation import Rank
from search.protocols import SearchServices
from search.strategies.entry import Bound, StrategyEntry
from search.strategies.tree.draws import Draw, Drawn, take_step
from search.strategies.tree.options import TreeConfig
from search.tree import ROOT, Tree


class LookaheadConfig(TreeConfig):
    """Options that beam and dvts share."""

    lookahead: int = Field(
        0,
        ge=0,
        description="greedy steps after each candidate, whose end is scored in its place by a reward model; 0: none",
    )

    def step_bound(self, requests: int, candidates: int) -> Bound:
        """Return upper bounds for ``requests`` with ``candidates`` at each depth, each of which may be looked ahead from.

        At ``max_depth`` solutions are written to their ends, in code as wholes, with a request more for the answer. Two
        depths of 6 candidates, steps of 5 and solutions of 30 tokens: 2 * 6 * 5 + 6 * 30 = 240 tokens.
        """
        steps = self.max_depth * candidates
        ahead = steps * self.lookahead
        tokens = (steps + ahead) * self.max_step_tokens + candidates * self.max_solution_tokens
        return Bound(requests + ahead, tokens)


class BeamConfig(LookaheadConfig):
    """Options of the strategy "beam"."""

    strategy: Literal["beam"] = Field("beam", description="which strategy grows the tree")
    beam_width: int = Field(
        4,
        ge=1,
        description="solutions kept at each depth: n / beam_width of search-and-learn, whose beam_width is candidates",
    )
    filter_duplicates: bool = Field(
        False, description="keep equal steps once; off: a step that was drawn k times may take k places"
    )
    finished_keep_places: bool = Field(
        True, description="a finished solution among the best takes up a place from then on; off: open ones fill it"
    )


@dataclass(frozen=True, slots=True)
class StepBeam:
    """The strategy "beam": each depth draws ``beam_width * candidates`` steps, of which the ``beam_width`` best go on.

    All finished solutions count for the answer, kept or not. The value is the process reward (``step_aggregation`` of those
    on the path), the grade where there is a grader; without either the step drawn most often is kept. ``budget_tokens`` is
    checked before each depth: once it is exhausted nothing more is drawn, so it is overdrawn by one depth at most.
    """

    config: BeamConfig

    async def search(self, problem: Problem, services: SearchServices, seed: int) -> Tree:
        """Grow one tree. Raises whatever the services raise; a failing step is no exception but a node."""
        config, tree, started = self.config, Tree(problem, strategy="beam", seed=seed), monotonic()

        def keep_best(beam: Beam, drawn: Drawn) -> Beam:
            return keep(
                tree,
                beam,
                drawn,
                config.aggregation,
                filter_duplicates=config.filter_duplicates,
                finished_keep_places=config.finished_keep_places,
            )

        await extend_beams(tree, [Beam(places=config.beam_width)], keep_best, config, services)
        return finalize(tree, config, started)


@dataclass(frozen=True, slots=True)
class Beam:
    """Solutions that go on side by side.

    Attributes:
        open: nodes at which they go on, best first; a node that takes several places stands there several times.
        places: how many solutions there may be next; a finished one that keeps its place leaves one less to the open ones.
    """

    open: tuple[int, ...] = (ROOT,)
    places: int = 1


def deal(beam: Beam, candidates: int) -> list[Draw]:
    """Deal the draws of a beam, ``candidates`` for each of its places, to its open nodes in turn; the first get the rest.

    Four places of 3 candidates are 12 draws: the root alone gets all; of open nodes (5, 7, 5) node 5 gets 8, node 7 gets 4.
    """
    if not beam.open:
        return []
    each, rest = divmod(beam.places * candidates, len(beam.open))
    dealt = Counter[int]()
    for place, node in enumerate(beam.open):
        dealt[node] += each + (place < rest)
    return [Draw(node, n) for node, n in dealt.items() if n]


def keep(
    tree: Tree,
    beam: Beam,
    drawn: Drawn,
    aggregation: Aggregation,
    *,
    filter_duplicates: bool = False,
    finished_keep_places: bool = True,
) -> Beam:
    """Return the beam of the best steps: by value (``path_rank``), then by how often they were drawn, then in order.

    An open step drawn k times may take k places, a finished one keeps one at most: nothing is drawn after it. Two places,
    steps of value 0.9 (finished), 0.5 (drawn twice) and 0.1 → the 0.5 on one place; if finished solutions keep none the 0.5
    on both, and with ``filter_duplicates`` then the 0.5 and the 0.1.
    """

    def copies(step: int) -> int:
        return 1 if filter_duplicates or tree.nodes[step].is_terminal else drawn[step]

    def rank(step: int) -> tuple[Rank, int]:
        return path_rank(tree, step, aggregation), drawn[step]

    ranked = sorted(drawn, key=rank, reverse=True)
    if not finished_keep_places:
        ranked = [step for step in ranked if not tree.nodes[step].is_terminal]
    best = [step for step in ranked for _ in range(copies(step))][: beam.places]
    still_open = tuple(step for step in best if not tree.nodes[step].is_terminal)
    return Beam(still_open, beam.places - (len(best) - len(still_open)))


async def extend_beams(
    tree: Tree,
    beams: Sequence[Beam],
    keep_best: Callable[[Beam, Drawn], Beam],
    config: LookaheadConfig,
    services: SearchServices,
) -> None:
    """Draw and keep until nothing is open or ``should_stop``; then back up every end once, so that Q is defined.

    All beams take a step together, so that the tree does not depend on any engine's speed. A beam chooses among the steps
    that it drew itself.
    """
    while any(beam.open for beam in beams) and not should_stop(tree, config):
        draws = [deal(beam, config.candidates) for beam in beams]
        drawn = iter(await take_step(tree, list(chain(*draws)), config, services, config.lookahead))
        beams = [keep_best(beam, merge([next(drawn) for _ in dealt])) for beam, dealt in zip(beams, draws, strict=True)]
    back_up_ends(tree)


def merge(drawn: Sequence[Drawn]) -> Drawn:
    """Return what several requests at different nodes drew as one."""
    return {step: n for steps in drawn for step, n in steps.items()}


def back_up_ends(tree: Tree) -> None:
    """Back up every answer and every dead end once."""
    for index, node in enumerate(tree.nodes):
        if node.answer is not None or (node.is_expanded and not tree.live_children(index)):
            back_up(tree, index, terminal_value(node))


def _bound(config: BeamConfig) -> Bound:
    """Return one request at the root, ``beam_width`` at each depth after it, and one for each candidate's answer."""
    requests = 1 + (config.max_depth - 1) * config.beam_width + config.beam_width * config.candidates
    return config.step_bound(requests, config.beam_width * config.candidates)


# "beam_paper": section 5 of Snell et al., where M = 4, and what the blog post of search-and-learn ("Scaling test-time compute
# with open models", 2024) says of its own runs. "beam_released": src/sal/config.py of search-and-learn and its recipes.
PRESETS: Mapping[str, Mapping[str, Any]] = {
    "beam_paper": {
        "candidates": 4,  # M, the beam width of both
        "beam_width": 64,  # N / M of the largest budget, N = 256
        "filter_duplicates": False,  # N candidates are N samples
        "finished_keep_places": True,  # N candidates in all go on
        "lookahead": 0,  # beam search is their lookahead search with k = 0
        "max_depth": 40,  # "up to 40 rounds of beam expansion"
        "temperature": 0.8,  # blog post
        "top_p": 1.0,
        "max_step_tokens": 2048,  # blog post
        "max_solution_tokens": 2048,
        "step_aggregation": "last",  # section 5.1: the prediction at the last step is that of the solution
        "answer_rule": "weighted",  # section 5.1: best-of-N weighted
    },
    "beam_released": {
        "candidates": 4,  # config.py: beam_width, "m in the paper"
        "beam_width": 1,  # recipes/*/beam_search.yaml: n 4, of which n / beam_width are kept
        "filter_duplicates": True,  # recipes/*/beam_search.yaml; config.py has False
        "finished_keep_places": False,  # beam_search.py: completed beams leave, the others are repeated up to n
        "lookahead": 0,  # config.py; beam_search.py would draw a lookahead but score the step itself
        "max_depth": 40,  # config.py: num_iterations
        "temperature": 0.8,  # config.py
        "top_p": 1.0,  # config.py
        "max_step_tokens": 2048,  # config.py: max_tokens
        "max_solution_tokens": 2048,  # the last iteration has the same max_tokens
        "step_aggregation": "last",  # config.py: agg_strategy
        "answer_rule": "best",  # beam_search.py: pred is the completion of the highest score
    },
}
ENTRY = StrategyEntry(
    options=BeamConfig,
    build=StepBeam,
    bound=_bound,
    describe=lambda config: f"beam of {config.beam_width} x {config.candidates} candidates",
    budget_option="beam_width",
    presets=PRESETS,
)
