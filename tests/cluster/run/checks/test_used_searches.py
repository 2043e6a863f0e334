"""A command checks only the searches that it runs."""

from __future__ import annotations

from cluster.config.run_config import RunConfig
from cluster.run.checks.used_searches import used_searches


def test_each_command_has_its_searches() -> None:
    config = RunConfig.model_validate(
        {
            "name": "r",
            "problems": {"train": {"name": "curriculum", "count": 2}},
            "rounds": [{"search": {"temperature": 0.5}, "passes": 2}],
        }
    )
    assert set(used_searches(config)) == {"search", "evaluation.search", "rounds.0.search"}
    assert used_searches(config, "search") == used_searches(config, "solve") == {"search": config.search}
    assert used_searches(config, "evaluate") == {"evaluation.search": config.evaluation.search}
    assert set(used_searches(config, "compare")) == {
        f"compare.strategies.{name}.settings" for name in config.compare.strategies
    }
