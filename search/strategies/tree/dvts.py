"""Diverse verifier tree search: independent subtrees, each a beam of width 1 (Beeching, Tunstall and Rush, "Scaling
test-time compute with open models", Hugging Face 2024).

Names: search-and-learn has n / beam_width subtrees with beam_width candidates each; here ``rollouts`` and ``candidates``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from time import monotonic
from typing import Any, Literal

from pydantic import Field

from search.core.stopping import finalize
from search.data import Problem
from search.protocols import SearchServices
from search.strategies.entry import Bound, StrategyEntry
from search.strategies.tree.beam import Beam, LookaheadConfig, extend_beams, keep
from search.strategies.tree.draws import Drawn
from search.tree import Tree


class DvtsConfig(LookaheadConfig):
    """Options of the strategy "dvts"."""

    strategy: Literal["dvts"] = Field("dvts", description="which strategy grows the tree")
    rollouts: int = Field(
        8, ge=1, description="subtrees, one root-to-leaf pass each: n / beam_width of search-and-learn"
    )


@dataclass(frozen=True, slots=True)
class Dvts:
    """The strategy "dvts": ``rollouts`` subtrees, in each ``candidates`` steps are drawn and the best goes on.

    One rollout is one subtree, a single pass from the root to an end: N of the source is rollouts * candidates. Each draws
    its own candidates, by its own requests and seeds, from the root on, and goes on from the best of these, so no subtree
    changes another one: the first four of eight are those of four. Subtrees may draw the same step. It is one node, whose
    multiplicity counts the candidates of both, and each goes on below it by its own draws. A subtree ends where its best
    step is finished; all finished solutions of all subtrees count for the answer. ``budget_tokens`` is checked before each
    depth: once it is exhausted nothing more is drawn, so it is overdrawn by one depth at most.
    """

    config: DvtsConfig

    async def search(self, problem: Problem, services: SearchServices, seed: int) -> Tree:
        """Grow one tree. Raises whatever the services raise; a failing step is no exception but a node."""
        config, tree, started = self.config, Tree(problem, strategy="dvts", seed=seed), monotonic()

        def keep_best(subtree: Beam, drawn: Drawn) -> Beam:
            return best_step(tree, drawn, config)

        await extend_beams(tree, [Beam()] * config.rollouts, keep_best, config, services)
        return finalize(tree, config, started)


def best_step(tree: Tree, drawn: Drawn, config: DvtsConfig) -> Beam:
    """Return the subtree at the best step of its own draw, as ``keep`` ranks them.

    Nothing is open where that step is finished, or where none of them is live.
    """
    return Beam(keep(tree, Beam(), drawn, config.aggregation).open)


def _bound(config: DvtsConfig) -> Bound:
    """Return one request for each subtree at each depth, and one for each candidate's answer after a program."""
    candidates = config.rollouts * config.candidates
    return config.step_bound(config.rollouts * config.max_depth + candidates, candidates)


# "dvts_paper": the blog post. "dvts_released": src/sal/config.py of search-and-learn and its recipes/*/dvts.yaml.
PRESETS: Mapping[str, Mapping[str, Any]] = {
    "dvts_paper": {
        "candidates": 4,  # M
        "rollouts": 64,  # N / M of the largest budget, N = 256
        "lookahead": 0,
        "max_depth": 40,
        "temperature": 0.8,
        "top_p": 1.0,
        "max_step_tokens": 2048,
        "max_solution_tokens": 2048,
        "step_aggregation": "last",
        "answer_rule": "weighted",
    },
    "dvts_released": {
        "candidates": 4,  # config.py: beam_width
        "rollouts": 1,  # recipes/*/dvts.yaml: n 4; config.py: n_beams = n // beam_width
        "lookahead": 0,  # config.py
        "max_depth": 40,  # config.py: num_iterations
        "temperature": 0.8,  # config.py
        "top_p": 1.0,  # config.py
        "max_step_tokens": 2048,  # diverse_verifier_tree_search.py: max_tokens
        "max_solution_tokens": 2048,  # the same in the last iteration
        "step_aggregation": "last",  # config.py: agg_strategy
        "answer_rule": "best",  # diverse_verifier_tree_search.py: pred is the completion of the highest score
    },
}
ENTRY = StrategyEntry(
    options=DvtsConfig,
    build=Dvts,
    bound=_bound,
    describe=lambda config: f"{config.rollouts} subtrees x {config.candidates} candidates",
    budget_option="rollouts",
    presets=PRESETS,
)
