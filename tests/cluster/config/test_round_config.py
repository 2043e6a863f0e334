"""Options of a round: passes that grow, seeds, and what its search and training change."""

from __future__ import annotations

from typing import Any

import pytest

from cluster.config.loader import validate_config
from cluster.config.run_config import RunConfig
from search.errors import UserError

BASE: dict[str, Any] = {"name": "r", "problems": {"train": {"name": "curriculum", "count": 2}}}


def make_config(*rounds: dict[str, Any], **fields: Any) -> RunConfig:
    entries = [{"train_reward_model": False, **entry} for entry in rounds]
    return validate_config(RunConfig, {**BASE, "rounds": entries, **fields})


def passes(config: RunConfig, number: int = 0) -> list[tuple[int, int]]:
    """Return rollouts and trees of each pass of a round."""
    return [(search.rollouts, search.trees) for search in config.round_searches(config.rounds[number])]  # type: ignore[attr-defined]


def test_rollouts_are_said_pass_by_pass_as_in_rstar_math() -> None:
    config = make_config({"rollouts": [16, 64, 128], "seeds": [1, 4, 4]})
    assert config.rounds[0].passes == 3
    assert passes(config) == [(16, 1), (64, 4), (128, 4)]


def test_growth_multiplies_the_rollouts_of_the_pass_before() -> None:
    assert passes(make_config({"passes": 3})) == [(8, 1), (16, 1), (32, 1)]
    assert passes(make_config({"passes": 3, "growth": 1.5, "search": {"rollouts": 4}})) == [(4, 1), (6, 1), (9, 1)]
    assert passes(make_config({"passes": 2, "seeds": 3, "growth": 1})) == [(8, 3), (8, 3)]
    assert passes(make_config({"seeds": 5})) == [(8, 5)]


def test_seeds_replace_the_trees_of_the_search() -> None:
    assert passes(make_config({}, search={"trees": 2})) == [(8, 2)]
    assert passes(make_config({"search": {"trees": 3}}, search={"trees": 2})) == [(8, 3)]
    assert passes(make_config({"search": {"trees": 3}, "seeds": [1, 6]}, search={"trees": 2})) == [(8, 1), (16, 6)]


def test_pass_search_changes_any_option_of_a_pass() -> None:
    config = make_config({"search": {"temperature": 0.5}, "pass_search": [{}, {"temperature": 1.3, "rollouts": 40}]})
    searches = config.round_searches(config.rounds[0])
    assert [(search.temperature, search.rollouts) for search in searches] == [(0.5, 8), (1.3, 40)]  # type: ignore[attr-defined]


def test_rollouts_set_what_another_strategy_grows_with() -> None:
    config = make_config({"search": {"strategy": "sampling"}, "rollouts": [4, 30]})
    assert [search.candidates for search in config.round_searches(config.rounds[0])] == [4, 30]  # type: ignore[attr-defined]


def test_rounds_have_trainings_of_their_own() -> None:
    config = make_config(
        {},
        {"train": {"policy": {"learning_rate": 5e-4, "epochs": 3}, "reward_model": {"batch_size": 7}}},
        train={"policy": {"learning_rate": 1e-4, "epochs": 9}},
    )
    first, second = (config.round_training(entry) for entry in config.rounds)
    assert first == config.train
    assert (second.policy.learning_rate, second.policy.epochs, second.reward_model.batch_size) == (5e-4, 3, 7)
    assert second.reward_model.epochs == config.train.reward_model.epochs == 1
    assert config.train.policy.epochs == 9


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"rollouts": [16, 64], "passes": 3}, "rollouts has 2 entries for 3 passes: one for each pass is needed"),
        ({"rollouts": [16, 64], "seeds": [1, 2, 3]}, "seeds has 3 entries for 2 passes"),
        ({"pass_search": [{}], "passes": 2}, "pass_search has 1 entries for 2 passes"),
        ({"rollouts": 16}, r"rounds.0.rollouts = 16 is not possible: a list has a number for each pass: \[16, …\]"),
        ({"rollouts": [16, 0]}, "rounds.0.rollouts.1 = 0 is not possible: input should be greater than or equal to 1"),
        ({"rollouts": []}, "rounds.0.rollouts is not possible: tuple should have at least 1 item"),
        ({"seeds": 0}, "rounds.0.seeds.0 = 0 is not possible: input should be greater than or equal to 1"),
        ({"rollouts": [16, 20], "growth": 3}, "growth and rollouts both say what a pass may spend: leave one of them out"),
        ({"pass_search": [{}, {}], "growth": 3}, "growth and pass_search both say what a pass may spend"),
        ({"pass_search": [{}, {"temperature": -1}]}, "rounds.0.pass_search.1.temperature: input should be greater than"),
        ({"search": {"temprature": 1}}, "rounds.0.search.temprature: no such option, did you mean temperature?"),
        ({"search": {"beam_width": 2}}, "rounds.0.search: strategy 'mcts' has no option beam_width: it belongs to beam"),
        ({"train": {"policy": {"lerning_rate": 1}}}, "rounds.0.train.policy.lerning_rate: no such option, did you mean"),
        ({"train": {"policy": {"epochs": 0}}}, "rounds.0.train.policy.epochs: input should be greater than or equal to 1"),
        ({"passes": 3, "growth": 1e300}, r"rounds.0.growth 1e\+300 makes pass 3 infinite: take a smaller one"),
        ({"levels": [6, 5]}, r"rounds.0.levels is not possible: the least level comes first: \[5, 6\]"),
        ({"train": {"polcy": {}}}, "unknown key rounds.0.train.polcy: did you mean rounds.0.train.policy?"),
    ],
)  # fmt: skip
def test_impossible_round_is_refused_in_one_line(entry: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message) as refused:
        make_config(entry)
    assert "\n" not in str(refused.value)


def test_resolved_config_is_the_same_config() -> None:
    config = make_config({"rollouts": [16, 64], "seeds": 2}, {"pass_search": [{"temperature": 0.3}], "train": {}})
    assert RunConfig.model_validate(config.resolved()) == config


def test_samples_of_an_evaluation_are_one_tree_a_problem() -> None:
    config = make_config({}, evaluation={"search": {"trees": 4, "rollouts": 2}})
    assert config.evaluation.search.trees == 4
    assert config.evaluation.sampled().trees == config.evaluation.greedy().trees == 1
    assert {contender.search(config.evaluation.search).trees for contender in config.compare.strategies.values()} == {1}


@pytest.mark.parametrize("trees", [0, -1, 1.5])
def test_impossible_number_of_trees_is_refused(trees: float) -> None:
    with pytest.raises(UserError, match=r"search\.trees"):
        make_config({}, search={"trees": trees})
