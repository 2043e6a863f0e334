"""Contenders of a comparison: their searches, the option that scales, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from cluster.config.compare_config import CompareConfig, ContenderConfig
from cluster.config.run_config import EvaluationConfig
from search.strategies.registry import search_config

BASE = EvaluationConfig().search


def test_contender_sets_its_strategys_budget_option() -> None:
    base = search_config(max_depth=7, temperature=0.3, budget_tokens=900)
    mcts = ContenderConfig(settings={"rollouts": 2, "temperature": 1.0})
    search: Any = mcts.search(base, 6)
    assert (search.rollouts, search.budget_tokens, search.max_depth, search.temperature) == (6, None, 7, 1.0)
    assert (mcts.option(base), mcts.first_value(base, 500)) == ("rollouts", 2)
    samples: Any = ContenderConfig(settings={"strategy": "best_of_n", "candidates": 3}).search(base)
    assert (samples.candidates, samples.budget_tokens) == (3, None)


def test_limit_of_tokens_may_scale_and_begins_at_the_budget() -> None:
    mcts = ContenderConfig(settings={"rollouts": 50}, scale="budget_tokens")
    search: Any = mcts.search(BASE, 700)
    assert (search.budget_tokens, search.rollouts, mcts.first_value(BASE, 1000)) == (700, 50, 1000)


def test_default_contenders_are_searches_and_greedy_is_as_it_is() -> None:
    config = CompareConfig()
    config.check(BASE)
    greedy = config.strategies["greedy"]
    assert greedy.option(BASE) is None and greedy.search(BASE, 8) == greedy.search(BASE)
    assert {"majority", "best_of_n", "beam", "dvts", "mcts"} < config.strategies.keys()
    assert {"rebase", "ab_mcts"} <= config.strategies.keys()
    for name, contender in config.strategies.items():
        assert name == "greedy" or contender.first_value(BASE, 500) >= 1
    assert "majority" not in config.reading_scores(BASE) and "best_of_n" in config.reading_scores(BASE)


def test_name_says_the_strategy_where_settings_do_not() -> None:
    names = {"rebase": {}, "rstar": {}, "best_of_n": {"settings": {"temperature": 0.3}}, "mine": {}}
    config = CompareConfig.model_validate({"strategies": names})
    assert config.strategies["rebase"] == CompareConfig().strategies["rebase"]
    searches = {name: contender.search(BASE) for name, contender in config.strategies.items()}
    assert [search.strategy for search in searches.values()] == ["rebase", "rstar", "best_of_n", BASE.strategy]
    assert searches["best_of_n"].temperature == 0.3
    assert CompareConfig.model_validate(config.model_dump()) == config


def test_settings_that_choose_a_strategy_stand_as_they_are() -> None:
    given = {"mcts": {"settings": {"strategy": "mcts", "rollouts": 3}}, "beam": {"settings": {"preset": "beam_paper"}}}
    config = CompareConfig.model_validate({"strategies": given, "against": "mcts"})
    assert {name: contender.settings for name, contender in config.strategies.items()} == {
        name: contender["settings"] for name, contender in given.items()
    }
    assert CompareConfig.model_validate({"strategies": {"mcts": {}}, "against": "mcts"}).strategies["mcts"].scale == (
        "budget_tokens"
    )


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"strategies": {"x": {"settings": {"rolouts": 3}}}, "against": "x"}, "compare.strategies.x: .*rolouts"),
        ({"strategies": {"x": {}}, "against": "y"}, "compare.against is 'y': one of x"),
        ({"budgets": (500, 500)}, "budgets must rise"),
        ({"strategies": {"x": {"scale": "beam_width"}}, "against": "x"}, "'mcts' has no option beam_width"),
        ({"strategies": {"x": {"scale": "answer_rule"}}, "against": "x"}, "answer_rule is no number"),
        ({"strategies": {"a/b": {}}, "against": "a/b"}, "a/b: the name is that of a directory"),
        (
            {"strategies": {"x": {"settings": {"strategy": "ab_mcts"}, "scale": "parallel_rollouts"}}, "against": "x"},
            "compare.strategies.x: parallel_rollouts: Input should be less than or equal to 5",
        ),
        ({"strategies": {"": {}}, "against": ""}, "the name is that of a directory: not empty"),
    ],
)
def test_impossible_comparison_is_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        CompareConfig.model_validate(fields).check(BASE)
