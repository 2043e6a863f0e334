"""Strategies by name, and the union of their options. A new strategy is one file and one line of ``STRATEGIES`` here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Union

from pydantic import BeforeValidator, Discriminator, Tag, TypeAdapter

from search.config import SearchConfig
from search.protocols import SearchStrategy
from search.strategies.entry import StrategyEntry
from search.strategies.labelling import first_error_search, math_shepherd, omega_prm
from search.strategies.sampling import best_of_n, budget_forcing, sampling
from search.strategies.tree import beam, dvts, mcts, rebase, sphere
from search.strategies.tree.ab_mcts import strategy as ab_mcts
from search.strategies.tree.rstar import strategy as rstar

STRATEGIES: dict[str, StrategyEntry] = {
    entry.name: entry
    for entry in (
        mcts.ENTRY,
        sampling.ENTRY,
        best_of_n.ENTRY,
        budget_forcing.ENTRY,
        beam.ENTRY,
        dvts.ENTRY,
        rebase.ENTRY,
        ab_mcts.ENTRY,
        rstar.ENTRY,
        sphere.ENTRY,
        math_shepherd.ENTRY,
        first_error_search.ENTRY,
        omega_prm.ENTRY,
    )
}
DEFAULT = mcts.ENTRY.name
PRESETS: dict[str, dict[str, Any]] = {
    name: {"strategy": entry.name, **settings}
    for entry in STRATEGIES.values()
    for name, settings in entry.presets.items()
}


def entry_of(config: SearchConfig) -> StrategyEntry:
    """Return the registry entry of the strategy that ``config`` is for."""
    return STRATEGIES[config.strategy]


def describe(config: SearchConfig) -> str:
    """Return the settings in a few words, such as "8 rollouts x 4 candidates, 4 trees"."""
    settings = entry_of(config).describe(config)
    return f"{settings}, {config.trees} trees" if config.trees > 1 else settings


def build(config: SearchConfig) -> SearchStrategy:
    """Return the strategy that ``config`` is for."""
    return entry_of(config).build(config)


def _prepare(options: Any) -> Any:
    """Fill in the preset and the default strategy of a mapping, and refuse options of other strategies by name."""
    if isinstance(options, SearchConfig):
        return options
    if not isinstance(options, Mapping):
        raise ValueError(f"a search is a mapping of options, such as {{strategy: {DEFAULT}}}")
    preset = options.get("preset")
    settings = _preset(preset)
    if preset is not None and not settings:
        raise ValueError(f"preset {preset!r} is not known: one of {', '.join(PRESETS)}")
    filled = {"strategy": DEFAULT, **settings, **options}
    name = filled["strategy"]
    if not isinstance(name, str) or name not in STRATEGIES:
        raise ValueError(f"strategy {name!r} is not known: one of {', '.join(STRATEGIES)}")
    if settings and name != settings["strategy"]:
        raise ValueError(
            f"preset {preset!r} is of strategy {settings['strategy']!r}, not of {name!r}: leave one of them out (preset: null)"
        )
    for key in filled.keys() - STRATEGIES[name].options.model_fields.keys():
        if owners := [other for other, entry in STRATEGIES.items() if key in entry.options.model_fields]:
            chosen = "" if "strategy" in options or not settings else f", and preset {preset!r} is of {name!r}"
            raise ValueError(f"strategy {name!r} has no option {key}: it belongs to {', '.join(owners)}{chosen}")
    return filled


def _preset(name: Any) -> Mapping[str, Any]:
    """Return the settings of a preset; none where there is no preset of that name."""
    return PRESETS.get(name, {}) if isinstance(name, str) else {}


def _tag(options: Any) -> str | None:
    return options.get("strategy") if isinstance(options, Mapping) else getattr(options, "strategy", None)


if TYPE_CHECKING:
    AnySearchConfig = SearchConfig
else:
    AnySearchConfig = Annotated[
        Union[tuple(Annotated[entry.options, Tag(name)] for name, entry in STRATEGIES.items())],  # noqa: UP007
        Discriminator(_tag),
        BeforeValidator(_prepare),
    ]
_ADAPTER: TypeAdapter[SearchConfig] = TypeAdapter(AnySearchConfig)


def search_config(**options: Any) -> SearchConfig:
    """Return the checked options of a strategy; without ``strategy`` and ``preset`` those of mcts.

    Raises:
        pydantic.ValidationError: an option is impossible, unknown, or another strategy's.
    """
    return _ADAPTER.validate_python(options)


def revise(config: SearchConfig, changes: Mapping[str, Any]) -> SearchConfig:
    """Return ``config`` with ``changes``. Another strategy takes over the common options only: its own are defaults.

    So are common options that stand at their defaults before, since a strategy may have defaults of its own for these.
    ``{"strategy": "beam", "beam_width": 2}`` over mcts with 8 rollouts at temperature 0.7 → beam of width 2 at 0.7.
    Raises pydantic.ValidationError as ``search_config`` does.
    """
    preset = _preset(changes.get("preset"))
    strategy = changes.get("strategy", preset.get("strategy", config.strategy))
    kept = type(config) if strategy == config.strategy else SearchConfig
    base = {name: getattr(config, name) for name in kept.model_fields if name not in ("strategy", "preset")}
    if strategy != config.strategy:
        defaults = type(config).model_fields
        base = {name: value for name, value in base.items() if value != defaults[name].default}
    return search_config(**{**base, **preset, **changes, "strategy": strategy})
