"""A strategy or a preset of the command line, over what the config file says of the same section."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from cluster.config import run_config
from cluster.config.overrides import Override, parse
from cluster.config.run_config import RunConfig
from cluster.config.strategy_overrides import fit_to_overrides
from train.rules.rstar_math.options import RStarMathOptions

CONFIG = """
name: mini
problems: {train: {name: curriculum, count: 2}}
search: {rollouts: 8, candidates: 4, max_depth: 12, temperature: 0.7}
method: {options: {max_partners: 3, top_k: 5}}
rounds:
  - {train_reward_model: false, search: {rollouts: 3, temperature: 0.1}}
  - {search: {preset: paper_bootstrap, rollouts: 2, temperature: 0.2}}
train: {policy: {epochs: 4, workers: 2}, reward_model: {epochs: 3}}
evaluation: {search: {rollouts: 100, temperature: 0.9}}
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "mini.yaml"
    path.write_text(CONFIG)
    return path


def load(file: Path, *overrides: str) -> RunConfig:
    return run_config.load(file, parse(overrides))


def options(search: Any, *names: str) -> tuple[Any, ...]:
    return tuple(getattr(search, name) for name in names)


def test_preset_replaces_what_the_file_says_of_its_options(file: Path) -> None:
    search = load(file, "--search.preset=paper").search
    assert options(search, "rollouts", "candidates", "max_depth", "temperature") == (16, 8, 16, 0.7)


def test_options_of_the_command_line_stand_above_a_preset(file: Path) -> None:
    search = load(file, "--search.candidates=2", "--search.preset=paper", "--search.rollouts=3").search
    assert options(search, "rollouts", "candidates", "max_depth") == (3, 2, 16)


def test_preset_of_another_strategy_takes_over_common_options(file: Path) -> None:
    config = load(file, "--search.preset=omega_prm_paper")
    assert options(config.search, "strategy", "candidates", "max_depth", "temperature") == ("omega_prm", 8, 12, 0.7)
    assert config.rounds[0].search == {"temperature": 0.1}
    assert config.rounds[1].search == {"preset": "paper_bootstrap", "rollouts": 2, "temperature": 0.2}


def test_preset_of_the_same_strategy_leaves_rounds_as_they_are(file: Path) -> None:
    assert load(file, "--search.preset=paper").rounds[0].search == {"rollouts": 3, "temperature": 0.1}


def test_presets_of_rounds_and_evaluations_replace_sections(file: Path) -> None:
    config = load(file, "--rounds.1.search.preset=released", "--evaluation.search.preset=released_test")
    assert config.rounds[1].search == {"preset": "released"}
    assert options(config.evaluation.search, "rollouts", "candidates", "temperature") == (12, 32, 1.0)
    assert options(config.search, "rollouts", "temperature") == (8, 0.7)


def test_presets_of_trainings_and_rules_replace_their_sections(file: Path) -> None:
    config = load(file, "--train.policy.preset=paper", "--method.options.preset=released")
    assert options(config.train.policy, "epochs", "batch_size", "workers") == (2, 128, 2)
    assert config.train.reward_model.epochs == 3
    assert config.method.options == RStarMathOptions(preset="released", top_k=5)


def test_other_strategy_takes_over_common_options_only(file: Path) -> None:
    config = load(file, "--search.strategy=rebase", "--evaluation.search.strategy=best_of_n")
    assert options(config.search, "strategy", "candidates", "max_depth", "temperature") == ("rebase", 16, 12, 0.7)
    assert options(config.evaluation.search, "strategy", "temperature") == ("best_of_n", 0.9)
    assert load(file, "--search.strategy=mcts").search == load(file).search


def test_override_of_the_strategy_keeps_common_options_of_passes() -> None:
    tree = {"search": {"strategy": "mcts"}, "rounds": [{"pass_search": [{"rollouts": 3, "temperature": 0.1}, {}]}]}
    fit_to_overrides(tree, (Override(("search", "strategy"), "beam"),))
    assert tree["rounds"] == [{"pass_search": [{"temperature": 0.1}, {}]}]


@pytest.mark.parametrize("path", ["search.preset", "rounds.9.search.preset", "train.policy.preset", "seed.preset"])
def test_unknown_preset_or_place_leaves_the_file_as_it_is(path: str) -> None:
    tree: dict[str, Any] = {"search": {"rollouts": 2}, "rounds": [{}], "seed": 1, "train": {"policy": {"epochs": 1}}}
    before = deepcopy(tree)
    fit_to_overrides(tree, (Override(tuple(path.split(".")), "magic"),))
    assert tree == before


def test_strategy_replaces_the_preset_of_another_in_the_file(tmp_path: Path) -> None:
    path = tmp_path / "rstar.yaml"
    path.write_text(CONFIG.replace("search: {rollouts: 8, candidates: 4,", "search: {preset: rstar, votes: 3,"))
    search = load(path, "--search.strategy=mcts").search
    assert options(search, "strategy", "preset", "max_depth", "temperature") == ("mcts", None, 12, 0.7)
