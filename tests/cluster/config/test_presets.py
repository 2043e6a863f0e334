"""The presets of a paper in a config: of the search, of the harvest, of the training."""

from __future__ import annotations

from pathlib import Path

import pytest

from cluster.config import run_config
from cluster.config.overrides import parse
from search.errors import UserError
from train.config import PolicyTrainConfig, RewardModelTrainConfig
from train.rules.rstar_math.options import RStarMathOptions

CONFIG = """
name: mini
problems: {train: {name: curriculum, count: 2}}
search: {preset: released}
method: {rule: rstar_math, options: {preset: released}}
train: {policy: {preset: released}, reward_model: {preset: released, epochs: 3}}
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "mini.yaml"
    path.write_text(CONFIG)
    return path


def test_presets_fill_in_what_the_file_does_not_say(file: Path) -> None:
    config = run_config.load(file)
    assert config.method.options == RStarMathOptions(preset="released")
    assert (config.method.options.min_q_margin, config.method.options.max_partners) == (0.5, 4)  # type: ignore[attr-defined]
    assert config.train.policy == PolicyTrainConfig(preset="released")
    assert config.train.reward_model == RewardModelTrainConfig(preset="released", epochs=3)
    assert config.search.preset == "released"


def test_presets_are_options_of_the_command_line(file: Path) -> None:
    overrides = ["--train.policy.preset=paper", "--train.policy.workers=2", "--method.options.preset=paper"]
    config = run_config.load(file, parse(overrides))
    assert config.train.policy == PolicyTrainConfig(preset="paper", workers=2)
    assert config.method.options == RStarMathOptions(preset="paper")


def test_resolved_config_gives_the_same_values_again(file: Path) -> None:
    config = run_config.load(file)
    assert run_config.RunConfig.model_validate(config.resolved()) == config


@pytest.mark.parametrize("field", ["train.policy.preset", "train.reward_model.preset", "method.options.preset"])
def test_unknown_preset_is_refused_in_one_line(file: Path, field: str) -> None:
    with pytest.raises(UserError, match=r"preset.* 'magic' is not possible: input should be 'paper' or 'released'"):
        run_config.load(file, parse([f"--{field}=magic"]))
