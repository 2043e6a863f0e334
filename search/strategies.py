"""Strategies by name. One file a strategy, one line here."""

from __future__ import annotations

from collections.abc import Callable

from search.beam import StepBeam
from search.best_of import BestOf
from search.config import SearchConfig
from search.dvts import Dvts
from search.labelled import every_step, first_error
from search.mcts import Mcts
from search.protocols import SearchStrategy
from search.pruned import Sphere
from search.rstar import Rstar
from search.samples import Samples

STRATEGIES: dict[str, Callable[[SearchConfig], SearchStrategy]] = {
    "mcts": Mcts,
    "samples": Samples,
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
