"""The registry of strategies and the union of their options."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from pydantic import ValidationError

from search.config import SearchConfig
from search.strategies.entry import Need, StrategyEntry
from search.strategies.registry import PRESETS, STRATEGIES, build, entry_of, revise, search_config

NAMES = sorted(STRATEGIES)


@pytest.mark.parametrize("name", NAMES)
def test_entry_builds_what_its_options_name(name: str) -> None:
    config = search_config(strategy=name)
    assert type(config) is STRATEGIES[name].options and config.strategy == name
    assert hasattr(build(config), "search")
    assert entry_of(config).budget_option in type(config).model_fields


@pytest.mark.parametrize("name", NAMES)
def test_bound_grows_with_the_option_that_a_budget_scales(name: str) -> None:
    config = search_config(strategy=name)
    entry = entry_of(config)
    wider = revise(config, {entry.budget_option: 2 * getattr(config, entry.budget_option)})
    assert 0 < entry.bound(config).requests < entry.bound(wider).requests
    assert 0 < entry.bound(config).tokens < entry.bound(wider).tokens
    assert entry.describe(config) != entry.describe(wider)


def test_strategy_is_mcts_when_none_is_named() -> None:
    assert search_config().strategy == "mcts"
    released = search_config(preset="released", rollouts=5)
    assert (released.strategy, released.rollouts, released.candidates) == ("mcts", 5, 12)  # type: ignore[attr-defined]


def test_preset_chooses_its_strategy() -> None:
    assert {name: search_config(preset=name).strategy for name in PRESETS} == {
        "paper": "mcts", "paper_bootstrap": "mcts", "paper_test": "mcts",
        "released": "mcts", "released_bootstrap": "mcts", "released_test": "mcts",
        "rstar": "rstar", "rstar_released": "rstar", "sphere": "sphere",
        "omega_prm_paper": "omega_prm",
        "beam_paper": "beam", "beam_released": "beam", "dvts_paper": "dvts", "dvts_released": "dvts",
        "rebase_released": "rebase", "s1_released": "budget_forcing",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"strategy": "beam", "rollouts": 3},
            "strategy 'beam' has no option rollouts: it belongs to mcts, dvts, ab_mcts, rstar",
        ),
        ({"preset": "rstar", "beam_width": 2}, "strategy 'rstar' has no option beam_width: it belongs to beam, sphere"),
        ({"strategy": "magic"}, "strategy 'magic' is not known: one of mcts, sampling"),
        ({"preset": "magic"}, "preset 'magic' is not known: one of paper, "),
        ({"preset": ["paper"]}, r"preset \['paper'\] is not known: one of paper, "),
        ({"strategy": ["mcts"]}, r"strategy \['mcts'\] is not known: one of mcts, "),
        (
            {"preset": "paper", "strategy": "beam"},
            "preset 'paper' is of strategy 'mcts', not of 'beam': leave one of them",
        ),
        ({"rolouts": 3}, "Extra inputs are not permitted"),
        ({"rollouts": 0}, "greater than or equal to 1"),
    ],
)
def test_impossible_options_are_refused_by_name(options: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        search_config(**options)


def test_other_strategy_takes_over_common_options_only() -> None:
    mcts = search_config(temperature=0.7, rollouts=99, candidates=9, stop_after_correct=2)
    beam = revise(mcts, {"strategy": "beam", "beam_width": 2})
    assert (beam.strategy, beam.temperature, beam.stop_after_correct) == ("beam", 0.7, 2)
    assert (beam.beam_width, beam.candidates) == (2, 4)  # type: ignore[attr-defined]
    assert revise(mcts, {"rollouts": 5}) == search_config(
        temperature=0.7, rollouts=5, candidates=9, stop_after_correct=2
    )
    with pytest.raises(ValidationError, match="has no option rollouts"):
        revise(mcts, {"strategy": "sampling", "rollouts": 5})


def test_config_survives_plain_data() -> None:
    for name in NAMES:
        config = search_config(strategy=name, temperature=0.3)
        assert search_config(**config.model_dump(mode="json")) == config


PAPERS = (
    "mcts", "best_of_n", "beam", "dvts", "rstar", "sphere", "math_shepherd", "first_error_search", "omega_prm", "sampling",
    "rebase", "budget_forcing",
)  # fmt: skip


def test_needs_are_those_of_the_papers() -> None:
    def names(condition: Callable[[StrategyEntry], bool]) -> set[str]:
        return {name for name in PAPERS if condition(STRATEGIES[name])}

    assert names(lambda entry: entry.reward_model is Need.REQUIRED) == {"sphere"}
    assert names(lambda entry: entry.chooses_without_scores) == {"rstar"}
    assert names(lambda entry: entry.second_policy) == {"rstar", "sphere"}
    labelling = {"math_shepherd", "first_error_search", "omega_prm"}
    assert names(lambda entry: entry.needs_answers) == labelling
    assert names(lambda entry: entry.labelled is not None) == labelling
    assert names(lambda entry: entry.has_independent_samples) == {"sampling", "best_of_n", "budget_forcing"}
    assert names(lambda entry: not entry.chooses_answer) == {"sampling", *labelling}


def test_common_options_are_those_of_every_strategy() -> None:
    shared = set.intersection(*(set(entry.options.model_fields) for entry in STRATEGIES.values()))
    assert shared - set(SearchConfig.model_fields) <= {"candidates"}
