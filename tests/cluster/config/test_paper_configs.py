"""The papers' configs can be planned where no Hub is reached, and hold the papers' numbers."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from huggingface_hub import constants

from cluster.cli import main
from cluster.config import run_config as configs
from search.problems.hub import absence_of_hub

PAPERS = {path.stem: path for path in sorted((Path(configs.__file__).parents[2] / "configs/papers").glob("*.yaml"))}
# What evolve plans of each paper: parameters of its policy (in millions), problems of round 1, and its last stages.
PLANS = {
    "irpo": ("68,977 M", "6502 problems, sampling: 30 samples", "r4 in all"),
    "lets_verify": ("7,615 M", "500 problems in 1 splits: greedy, majority of 1860, best of 1860", "r1 in all"),
    "rstar": ("8,030 M", "1319 problems in 1 splits: greedy, majority of 8, rstar: 32 rollouts", "r1 in all"),
    "rstar_math": ("7,615 M", "747000 problems, mcts: 8 rollouts x 5 candidates", "r4 in all"),
    "sphere": ("7,615 M", "20000 problems, sphere: sphere of width 4 x 5 candidates", "r1 in all"),
}


@pytest.fixture(autouse=True)
def _no_hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(Path(configs.__file__).parents[2])  # policy.shots is named from there
    absence_of_hub.cache_clear()


def test_these_papers_have_configs() -> None:
    assert set(PAPERS) == set(PLANS)


@pytest.mark.parametrize("name", sorted(PLANS))
def test_a_paper_is_planned_without_the_hub(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    parameters, stage, last = PLANS[name]
    assert main(["evolve", str(PAPERS[name]), "--dry-run", "--run-dir", str(tmp_path / "run")]) == 0
    text = capsys.readouterr().out
    assert f"planned by the declared size, {parameters} parameters" in " ".join(text.split())
    assert "planned by the declared number" in " ".join(text.split())
    assert stage in text and last in text
    assert "?" not in text.partition("At most")[2], "a model has no declared size"
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("name", sorted(PLANS))
def test_a_paper_says_its_sources_and_differences(name: str) -> None:
    head = re.match(r"(#[^\n]*\n)*", PAPERS[name].read_text())
    assert head is not None
    assert "arXiv " in head[0] and "# Differs: " in head[0] and "# Sources: " in head[0]
    assert configs.load(PAPERS[name]).name == f"{name}_paper"


def test_the_papers_own_numbers_are_there() -> None:
    papers = {name: configs.load(path) for name, path in PAPERS.items()}
    assert [round(entry.search["temperature"], 1) for entry in papers["irpo"].rounds] == [0.8, 0.8, 1.3, 1.3]
    irpo = papers["irpo"].train.policy
    assert (irpo.learning_rate, irpo.batch_size, irpo.dpo_beta, irpo.nll_weight) == (7e-7, 16, 0.1, 1)
    rstar_math = papers["rstar_math"]
    policy, ppm = rstar_math.train.policy, rstar_math.train.reward_model
    assert (policy.epochs, policy.batch_size, policy.learning_rate, policy.max_length) == (2, 128, 7e-6, 4096)
    assert (ppm.epochs, ppm.batch_size, ppm.learning_rate) == (1, 512, 7e-6)
    last = rstar_math.round_searches(rstar_math.rounds[3])
    assert [search.model_dump()["rollouts"] for search in last] == [16, 64, 128]
    assert papers["sphere"].search.model_dump(include={"candidates", "temperature"}) == {
        "candidates": 5,
        "temperature": 0.8,
    }
    assert papers["lets_verify"].evaluation.samples == 1860
