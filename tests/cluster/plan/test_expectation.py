"""What a plan expects by a finished run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from cluster.config.run_config import RunConfig
from cluster.plan.cost import StageCost
from cluster.plan.expectation import expected, used_shares
from cluster.plan.stages import PlannedStage
from cluster.run.directory import open_run
from search.errors import UserError

CONFIG = RunConfig.model_validate(
    {
        "name": "r",
        "problems": {
            "train": {"name": "curriculum", "count": 10, "levels": [2, 2]},
            "validation": {"name": "curriculum", "split": "validation", "count": 2, "levels": [2, 2]},
            "evaluation": {"heldout": {"name": "curriculum", "split": "heldout", "count": 4, "levels": [2, 2]}},
        },
        "policy": {"engine": {"max_model_len": 100}},
        "search": {"rollouts": 2, "candidates": 5, "max_depth": 4, "max_step_tokens": 10},
        "evaluation": {"samples": 1, "search": {"max_solution_tokens": 40, "max_step_tokens": 10}},
        "train": {"policy": {"epochs": 1}},
        "rounds": [{"train_reward_model": False, "passes": 2, "growth": 2}, {"train_reward_model": False}],
    }
)


def finish(root: Path, **stages: dict[str, Any]) -> None:
    with open_run(root, CONFIG.resolved(), seed=0, command="test") as run:
        for name, facts in stages.items():
            with run.stage(name).writing() as writer:
                writer.facts.update(facts)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A run that wrote 600 + 200 of 10 x (400 + 800) tokens in round 1, and 1200 of 4000 in round 2."""
    finish(
        tmp_path / "run",
        **{
            "r1/search": {"tokens": 600},
            "r1/search-2": {"tokens": 200},
            "r1/train_policy": {"tokens_trained": 500},
            "r2/search": {"tokens": 1200},
        },
    )
    return tmp_path / "run"


def test_shares_are_of_each_stage_and_of_its_kind(root: Path) -> None:
    shares = used_shares("--like", root)
    assert shares == pytest.approx(
        {
            "r1/search": 800 / 12000,
            "r2/search": 1200 / 4000,
            "search": 2000 / 16000,
            "r1/train_policy": 500 / (10 * 2 * 100),  # two trajectories a problem
            "train_policy": 500 / (10 * 2 * 100),
        }
    )


def test_a_stage_is_expected_by_its_own_share_else_by_its_kind(root: Path) -> None:
    shares = used_shares("--like", root)
    names = ("r2/search", "r3/search", "r1/evaluate", "r5/train_policy")
    stages = tuple(PlannedStage(name, "", StageCost(generated=1000)) for name in names)
    assert [stage.cost.generated for stage in expected(stages, shares)] == [300, 125, 125, 250]
    assert [stage.cost.generated for stage in expected(stages, {**shares, "evaluate": 0.5})][2] == 500


def test_a_run_without_a_finished_search_is_refused(root: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"--like: .*nowhere is no run directory"):
        used_shares("--like", tmp_path / "nowhere")
    finish(tmp_path / "new")
    with pytest.raises(UserError, match=r"no search of .*new is finished"):
        used_shares("--like", tmp_path / "new")


def test_the_config_of_a_run_is_the_one_it_was_started_with(root: Path) -> None:
    assert yaml.safe_load((root / "config.yaml").read_text())["search"]["rollouts"] == 2
