"""Fit what a config file says to a strategy or a preset that the command line chooses.

Of a file with ``search: {rollouts: 8, max_depth: 12, temperature: 0.7}``

    --search.preset=paper     keeps the temperature, which that preset leaves open; rollouts 16 and depth 16 are the preset's
    --search.strategy=beam    keeps depth and temperature, which all strategies have, and leaves out rollouts, an option of mcts

Whatever else the command line says stands above a preset.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cluster.config.method_config import DEFAULT_RULE
from cluster.config.overrides import Override
from search.config import SearchConfig
from search.strategies.registry import DEFAULT, PRESETS
from train.config import PolicyTrainConfig, RewardModelTrainConfig
from train.rules.registry import HARVEST_RULES

PRESET, STRATEGY = "preset", "strategy"
TRAINED = {"policy": PolicyTrainConfig.presets, "reward_model": RewardModelTrainConfig.presets}


def fit_to_overrides(tree: dict[str, Any], overrides: Sequence[Override]) -> None:
    """Leave out of a file's ``tree`` what a strategy or a preset of the command line replaces."""
    before = after = _strategy_of(tree.get("search"))
    for override in overrides:
        *at, key = override.path
        if key == PRESET:
            _leave_out(_section_at(tree, at), preset_settings(tree, override))
        elif key == STRATEGY and at[-1:] == ["search"]:
            _leave_out(_section_at(tree, at), {STRATEGY: override.value})
        if at == ["search"] and key in (PRESET, STRATEGY):
            after = _chosen_strategy(override, after)
    if after != before:
        _follow_strategy(tree.get("rounds"))


def preset_settings(tree: Mapping[str, Any], override: Override) -> Mapping[str, Any]:
    """Return the settings of the preset that an override chooses, by the section it stands in; none of an unknown one."""
    *at, _ = override.path
    name = str(override.value)
    if "train" in at:
        return TRAINED.get(at[-1], {}).get(name, {})
    if at[-1:] == ["options"]:
        rule = HARVEST_RULES.get(str((_section_at(tree, at[:-1]) or {}).get("rule", DEFAULT_RULE)))
        return {} if rule is None else rule.options.presets.get(name, {})
    return PRESETS.get(name, {})


def _leave_out(section: dict[str, Any] | None, settings: Mapping[str, Any]) -> None:
    """Delete from a section what ``settings`` say; for another strategy also its preset and what not all strategies have."""
    if section is None or not settings:
        return
    is_other = STRATEGY in settings and settings[STRATEGY] != _strategy_of(section)
    for name in list(section):
        if name in settings or (is_other and (name == PRESET or name not in SearchConfig.model_fields)):
            del section[name]


def _section_at(tree: Any, at: Sequence[str]) -> dict[str, Any] | None:
    """Return the mapping at a path; None where there is none."""
    for key in at:
        if isinstance(tree, list):
            tree = tree[int(key)] if key.isdigit() and int(key) < len(tree) else None
        else:
            tree = tree.get(key) if isinstance(tree, dict) else None
    return tree if isinstance(tree, dict) else None


def _strategy_of(section: Any) -> Any:
    """Return the strategy of a search as a file has it: named, or that of its preset, or the default."""
    options = section if isinstance(section, dict) else {}
    preset = PRESETS.get(str(options.get(PRESET)), {})
    return options.get(STRATEGY, preset.get(STRATEGY, DEFAULT))


def _chosen_strategy(override: Override, before: Any) -> Any:
    """Return the strategy after an override of the strategy or of the preset of ``search``."""
    if override.path[-1] == STRATEGY:
        return override.value
    return PRESETS.get(str(override.value), {}).get(STRATEGY, before)


def _follow_strategy(rounds: Any) -> None:
    """Keep only the common options of the rounds that follow another strategy of ``search``."""
    for entry in rounds if isinstance(rounds, list) else ():
        if not isinstance(entry, dict):
            continue
        if "search" in entry:
            entry["search"] = _common_options(entry["search"])
        if isinstance(entry.get("pass_search"), list):
            entry["pass_search"] = [_common_options(options) for options in entry["pass_search"]]


def _common_options(options: Any) -> Any:
    """Return the options that all strategies have; all if they name a strategy themselves."""
    if not isinstance(options, dict) or options.keys() & {STRATEGY, PRESET}:
        return options
    return {name: value for name, value in options.items() if name in SearchConfig.model_fields}
