"""Plans of ``--dry-run``: upper bounds of requests and tokens."""

from __future__ import annotations

from cluster.commands import planned_stages
from cluster.config.run_config import RunConfig

GREEDY = {"settings": {"strategy": "sampling", "candidates": 1}}
MAJORITY = {"settings": {"strategy": "sampling", "candidates": 4}, "scale": "candidates"}


def test_compare_is_bounded_by_the_budget_and_by_its_strategy() -> None:
    config = RunConfig.model_validate(
        {
            "name": "r",
            "problems": {"train": {"name": "curriculum", "count": 2}},
            "evaluation": {"search": {"strategy": "sampling", "max_solution_tokens": 300}},
            "compare": {
                "budgets": [5, 1000],
                "repeats": 1,
                "against": "greedy",
                "strategies": {"greedy": GREEDY, "majority": MAJORITY},
            },
        }
    )
    stages = {stage.name: stage for stage in planned_stages.compare(config, problems=3)}
    bounds = {name.removeprefix("compare/"): (stage.requests, stage.tokens) for name, stage in stages.items()}
    assert bounds == {
        "greedy/5-0": (3 * 2, 3 * 5),  # one request for a solution, one for its answer
        "majority/5-0": (3 * 5, 3 * 5),
        "greedy/1000-0": (3 * 2, 3 * (300 + 192)),  # of a solution, and of its answer
        "majority/1000-0": (3 * 1000, 3 * 1000),
    }
    assert stages["compare/majority/5-0"].description == "3 problems, sampling: 4 samples"
    assert stages["compare/majority/1000-0"].description == "3 problems, sampling: 800 samples"
