"""Strategies by name. One file a strategy, one line here."""

from __future__ import annotations

from collections.abc import Callable

from search.config import SearchConfig
from search.protocols import SearchStrategy
from search.strategies.labelling.step_labelling import every_step, first_error
from search.strategies.sampling.best_of_n import BestOf
from search.strategies.sampling.sampling import IndependentSampling
from search.strategies.tree.beam import StepBeam
from search.strategies.tree.dvts import Dvts
from search.strategies.tree.mcts import Mcts
from search.strategies.tree.rstar import Rstar
from search.strategies.tree.sphere import Sphere

STRATEGIES: dict[str, Callable[[SearchConfig], SearchStrategy]] = {
    "mcts": Mcts,
    "samples": IndependentSampling,
    "best_of": BestOf,
    "beam": StepBeam,
    "dvts": Dvts,
    "rstar": Rstar,
    "sphere": Sphere,
    "every_step": every_step,
    "first_error": first_error,
}


def build(config: SearchConfig) -> SearchStrategy:
    """The strategy that ``config`` names."""
    return STRATEGIES[config.strategy](config)
