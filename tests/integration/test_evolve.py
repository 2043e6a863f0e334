"""The whole loop in miniature on the real stack: two rounds, of which the first trains both models."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from transformers import AutoTokenizer

from cluster.config.loader import load_config
from cluster.config.run_config import RunConfig
from cluster.evolution import base_policy
from cluster.run.progress import Progress
from search.data import PreferencePair, Trajectory
from search.formats.model_prompt import BUILT_IN_PROMPT, read_model_prompt
from search.storage.tree_store import read_trees
from tests.fakes.plain_training import fit_in_one_process
from train.config import TrainConfig
from train.data.records import read_records
from train.labels.prm800k import read_rows
from train.trainer.launch import ProgressCallback, TrainResult, TrainTask
from train.trainer.models import resolve_precision

CONFIG = Path(__file__).with_name("miniature.yaml")
DEADLINE_S = 1300

pytestmark = [pytest.mark.slow, pytest.mark.timeout(2700)]


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Return an environment whose cache holds the base policy, trained in this process: the quickest way to one."""
    root = tmp_path_factory.mktemp("base")
    with pytest.MonkeyPatch.context() as patch, Progress() as progress:
        patch.setenv("RAYSTAR_CACHE", str(root / "cache"))
        patch.setattr(base_policy, "fit", plain_fit)
        facts = base_policy.make_base_policy(load_config(RunConfig, CONFIG), root / "model", progress)
    assert facts["loss"] < 0.5  # type: ignore[operator]
    return {**os.environ, "RAYSTAR_CACHE": str(root / "cache"), "RAY_ADDRESS": "local"}


def plain_fit(config: TrainConfig, task: TrainTask, report: ProgressCallback | None) -> TrainResult:
    """Train as ``fit`` does, without Ray and DeepSpeed, and write the model directory."""
    losses, model = fit_in_one_process(resolve_precision(config, torch.device("cpu")), task)
    model.save_pretrained(task.output)
    AutoTokenizer.from_pretrained(task.initial_model).save_pretrained(task.output)
    return TrainResult(
        output=task.output,
        steps=len(losses),
        epochs=config.epochs,
        final_loss=losses[-1],
        metrics={},
        samples=0,
        dropped={},
        tokens=0,
        train_seconds=0.0,
        seconds=0.0,
    )


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, environment: dict[str, str]) -> Path:
    """Run the whole loop and return its directory."""
    run = tmp_path_factory.mktemp("runs") / "miniature"
    command = [sys.executable, "-m", "cluster.cli", "evolve", str(CONFIG), "--run-dir", str(run)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=DEADLINE_S)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert facts(run, "r0/base")["cached"]
    return run


def facts(run: Path, stage: str) -> dict[str, object]:
    return json.loads((run / "rounds" / stage / "done.json").read_text())  # type: ignore[no-any-return]


def test_summary_has_an_entry_for_each_round(finished: Path) -> None:
    summary = json.loads((finished / "summary.json").read_text())
    assert summary["base"]["round"] == 0
    assert [entry["round"] for entry in summary["rounds"]] == [1, 2]
    for entry in (summary["base"], *summary["rounds"]):
        for split, n in (("heldout", 12), ("deeper", 6)):
            greedy = entry[split]["greedy"]
            assert greedy["n"] == n
            assert 0 <= greedy["low"] <= greedy["accuracy"] <= greedy["high"] <= 1
            assert greedy["tokens"] > 0
    assert summary["base"]["heldout"]["search"] is None
    assert summary["rounds"][1]["heldout"]["search"]["n"] == 12
    assert summary["rounds"][1]["solved"] > 0


def test_every_problem_has_one_tree_in_each_search(finished: Path) -> None:
    for stage in ("r1/search", "r2/search"):
        ids = Counter(tree.problem.id for tree in read_trees(finished / "rounds" / stage))
        assert len(ids) == 24 and set(ids.values()) == {1}


def test_harvest_has_correct_trajectories_and_pairs(finished: Path) -> None:
    folder = finished / "rounds" / "r2" / "harvest"
    trajectories = list(read_records(Trajectory, [folder / "trajectories.jsonl"]))
    pairs = list(read_records(PreferencePair, [folder / "pairs.jsonl"]))
    assert trajectories and all(
        trajectory.correct and trajectory.steps[-1].answer == trajectory.problem.answer for trajectory in trajectories
    )
    assert pairs and all(pair.chosen != pair.rejected for pair in pairs)
    assert max(Counter(trajectory.problem.id for trajectory in trajectories).values()) <= 2


def test_models_load_with_transformers(finished: Path) -> None:
    from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification

    policy = AutoModelForCausalLM.from_pretrained(finished / "rounds" / "r1" / "train_policy" / "model")
    reward_model = AutoModelForSequenceClassification.from_pretrained(
        finished / "rounds" / "r1" / "train_reward_model" / "model"
    )
    assert policy.config.hidden_size == 64
    assert reward_model.config.num_labels == 1
    for stage, kind in (("train_policy", None), ("train_reward_model", "ppm")):
        prompt = read_model_prompt(finished / "rounds" / "r1" / stage / "model")
        assert prompt == replace(BUILT_IN_PROMPT, reward_kind=kind)


def test_promotion_decisions_are_recorded(finished: Path) -> None:
    decisions = facts(finished, "r1/promote")["decisions"]
    assert {decision["role"] for decision in decisions} == {"policy", "reward_model"}  # type: ignore[index, attr-defined]
    for decision in decisions:  # type: ignore[attr-defined]
        is_worse = decision["old"] is not None and decision["new"]["accuracy"] < decision["old"]["accuracy"]
        assert decision["promoted"] is not is_worse


def test_report_loads_nothing_from_elsewhere(finished: Path) -> None:
    page = (finished / "report.html").read_text()
    assert "<svg" in page or "Plotly" in page
    assert 'src="http' not in page and 'href="http' not in page.replace('href="https://arxiv', "")


@pytest.mark.thorough
def test_reward_model_is_evaluated_and_selects_solutions(finished: Path, environment: dict[str, str]) -> None:
    reward_model = str(finished / "rounds" / "r1" / "train_reward_model" / "model")
    policy = str(finished / "rounds" / "r1" / "train_policy" / "model")
    evaluated, selected = finished.with_name("evaluated"), finished.with_name("selected")
    samples = str(evaluated / "rounds" / "reward_eval" / "samples")
    for name, root, more in (
        ("eval-reward-model", evaluated, ["--policy", policy, "--split", "heldout"]),
        ("select", selected, ["--trees", samples, "--together", "--count", "5"]),
    ):
        line = [
            sys.executable,
            "-m",
            "cluster.cli",
            name,
            str(CONFIG),
            "--run-dir",
            str(root),
            "--model",
            reward_model,
            *more,
        ]
        done = subprocess.run(line, env=environment, capture_output=True, text=True, timeout=DEADLINE_S)
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    result = json.loads((evaluated / "reward_eval.json").read_text())
    assert (result["kind"], result["curves"]["aggregation"], result["curves"]["sizes"]) == ("ppm", "last", [1, 2, 3, 4])
    single = {curve[0]["mean"] for curve in result["curves"]["methods"].values()}
    assert max(single) - min(single) < 1e-9  # of one sample there is nothing to choose
    assert result["curves"]["scored_tokens"] > 0
    assert len(list(read_rows([selected / "labelling.jsonl"], Counter()))) == 5
