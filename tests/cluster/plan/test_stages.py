"""Stages of the commands and what they take at most."""

from __future__ import annotations

from pathlib import Path

from cluster.config.run_config import RunConfig
from cluster.plan import stages
from cluster.plan.parameters import ModelParameters

GREEDY = {"settings": {"strategy": "sampling", "candidates": 1}, "scale": None}
MAJORITY = {"settings": {"strategy": "sampling", "candidates": 4}, "scale": "candidates"}
MODELS = ModelParameters(policy=10)


def test_compare_takes_its_budgets_and_what_setting_them_takes() -> None:
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
    planned = {stage.name: stage for stage in stages.compare(config, 3, MODELS)}
    bounds = {
        name.removeprefix("compare/"): (stage.cost.requests, stage.cost.generated) for name, stage in planned.items()
    }
    assert bounds == {
        "greedy/calibration": (50 * 2, 50 * (300 + 192)),  # requests and tokens of a solution, and of its answer
        "majority/calibration": (12 * 50 * 1000, 12 * 50 * 1000),
        "greedy/5-0": (3 * 2, 3 * (300 + 192)),  # it spends what it spends, and is searched once
        "majority/5-0": (3 * 5, 3 * 5),
        "majority/1000-0": (3 * 1000, 3 * 1000),
    }
    assert planned["compare/greedy/5-0"].description == "3 problems, sampling: 1 samples"
    assert planned["compare/majority/1000-0"].description == "3 problems, sampling: candidates for 1000 tokens"
    assert planned["compare/majority/calibration"].description == "up to 12 values of candidates"


def test_evaluation_says_which_search_lacks_a_reward_model() -> None:
    searches = ({"strategy": "mcts", "trees": 3}, {"strategy": "rstar", "trees": 3})
    counts = stages.ProblemCounts((), 0, {"heldout": 5})
    planned = []
    for search in searches:
        config = RunConfig.model_validate(
            {"name": "r", "problems": {"train": {"name": "curriculum", "count": 2}}, "evaluation": {"search": search}}
        )
        planned += stages.evaluate(config, counts, MODELS, reward_model=False)
    assert planned[0].description.endswith("greedy, majority of 8 (without a reward model no mcts)")
    assert "majority of 8, rstar: 8 rollouts" in planned[1].description and "3 trees" in planned[1].description


def test_training_learns_at_most_max_length_tokens_a_sequence() -> None:
    """7 pairs are 14 sequences of 100 tokens, twice; DPO's reference reads them once."""
    config = RunConfig.model_validate(
        {
            "name": "r",
            "problems": {"train": {"name": "curriculum", "count": 2}},
            "method": {"rule": "irpo", "policy": {"objective": "dpo_nll"}},
            "train": {"policy": {"epochs": 2, "max_length": 100}},
            "rounds": [{}],
        }
    )
    (stage,) = stages.train(config, "policy", [Path("pairs.jsonl")], 10, 7)
    assert (stage.cost.trained, stage.cost.scored) == (2800, 1400)
    assert stage.cost.flops == 6 * 10 * 2800 + 2 * 10 * 1400
    assert stage.description == "dpo_nll, 2 epoch(s) on 7 records of pairs.jsonl"
