"""The whole loop in miniature on the real stack: two rounds, killed in the first search and started again."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from search.data import PreferencePair, Trajectory
from search.storage.tree_store import read_trees
from train.data.loading import read_records
from train.labels.prm800k import read_rows

CONFIG = Path(__file__).with_name("miniature.yaml")
DEADLINE_S = 1300

Trees = dict[str, tuple[int, int]]  # problem -> seed and number of nodes

pytestmark = [pytest.mark.slow, pytest.mark.timeout(2700)]


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A cache of its own: the base policy is trained here."""
    return {**os.environ, "RAYSTAR_CACHE": str(tmp_path_factory.mktemp("cache")), "RAY_ADDRESS": "local"}


def command(run: Path, *more: str) -> list[str]:
    return [sys.executable, "-m", "cluster.cli", "evolve", str(CONFIG), "--run-dir", str(run), *more]


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory, environment: dict[str, str]) -> tuple[Path, Trees]:
    """A run that gets a SIGKILL in its first search, and the trees that it had finished by then."""
    run = tmp_path_factory.mktemp("runs") / "miniature"
    process = subprocess.Popen(
        command(run),
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        before = _wait_for_trees(run / "rounds" / "r1" / "search.partial", process, at_least=3)
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    return run, before


@pytest.fixture(scope="module")
def finished(killed: tuple[Path, Trees], environment: dict[str, str]) -> Path:
    """The same run, started again and finished."""
    run, _ = killed
    done = subprocess.run(command(run), env=environment, capture_output=True, text=True, timeout=DEADLINE_S)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return run


def facts(run: Path, stage: str) -> dict[str, object]:
    return json.loads((run / "rounds" / stage / "done.json").read_text())  # type: ignore[no-any-return]


def test_the_summary_has_a_line_a_round(finished: Path) -> None:
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


def test_a_killed_search_goes_on_and_loses_nothing(killed: tuple[Path, Trees], finished: Path) -> None:
    """Every problem has exactly one tree, and those from before the kill stand."""
    _, before = killed
    trees = list(read_trees(finished / "rounds" / "r1" / "search"))
    assert len(trees) == len({tree.problem.id for tree in trees}) == 24
    assert before.items() <= {tree.problem.id: (tree.seed, len(tree.nodes)) for tree in trees}.items()


def test_every_problem_has_one_tree_a_search(finished: Path) -> None:
    for stage in ("r1/search", "r2/search"):
        ids = Counter(tree.problem.id for tree in read_trees(finished / "rounds" / stage))
        assert len(ids) == 24 and set(ids.values()) == {1}


def test_harvest_is_readable_and_right(finished: Path) -> None:
    folder = finished / "rounds" / "r2" / "harvest"
    trajectories = list(read_records(Trajectory, [folder / "trajectories.jsonl"]))
    pairs = list(read_records(PreferencePair, [folder / "pairs.jsonl"]))
    assert trajectories and all(t.correct and t.steps[-1].answer == t.problem.answer for t in trajectories)
    assert pairs and all(p.chosen != p.rejected for p in pairs)
    assert max(Counter(t.problem.id for t in trajectories).values()) <= 2


def test_models_load_as_plain_directories(finished: Path) -> None:
    from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification

    policy = AutoModelForCausalLM.from_pretrained(finished / "rounds" / "r2" / "train_policy" / "model")
    reward_model = AutoModelForSequenceClassification.from_pretrained(
        finished / "rounds" / "r1" / "train_reward_model" / "model"
    )
    assert policy.config.hidden_size == 128
    assert reward_model.config.num_labels == 1


def test_promotions_are_written_down(finished: Path) -> None:
    decisions = facts(finished, "r1/promote")["decisions"]
    assert {decision["role"] for decision in decisions} == {"policy", "reward_model"}  # type: ignore[index, attr-defined]
    for decision in decisions:  # type: ignore[attr-defined]
        worse = decision["old"] is not None and decision["new"]["accuracy"] < decision["old"]["accuracy"]
        assert decision["promoted"] is not worse


def test_a_report_that_stands_alone(finished: Path) -> None:
    page = (finished / "report.html").read_text()
    assert "<svg" in page or "Plotly" in page
    assert 'src="http' not in page and 'href="http' not in page.replace('href="https://arxiv', "")


@pytest.mark.thorough
def test_its_reward_model_is_judged_and_chooses_solutions_to_label(finished: Path, environment: dict[str, str]) -> None:
    reward_model = str(finished / "rounds" / "r1" / "train_reward_model" / "model")
    policy = str(finished / "rounds" / "r2" / "train_policy" / "model")
    judged, chosen = finished.with_name("judged"), finished.with_name("chosen")
    samples = str(judged / "rounds" / "judge" / "samples")
    for name, root, more in (
        ("judge", judged, ["--policy", policy, "--split", "heldout"]),
        ("select", chosen, ["--trees", samples, "--together", "--count", "5"]),
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
    found = json.loads((judged / "judge.json").read_text())
    assert (found["kind"], found["curves"]["by"], found["curves"]["sizes"]) == ("ppm", "last", [1, 2, 3, 4])
    single = {curve[0]["mean"] for curve in found["curves"]["methods"].values()}
    assert max(single) - min(single) < 1e-9  # of one sample there is nothing to choose
    assert found["curves"]["scored"] > 0
    assert len(list(read_rows([chosen / "labelling.jsonl"], Counter()))) == 5


def _wait_for_trees(folder: Path, process: subprocess.Popen[bytes], at_least: int) -> Trees:
    end = time.monotonic() + DEADLINE_S
    while time.monotonic() < end:
        assert process.poll() is None, "the run ended before it could be killed"
        trees = list(read_trees(folder)) if folder.exists() else []
        if len(trees) >= at_least:
            return {tree.problem.id: (tree.seed, len(tree.nodes)) for tree in trees}
        time.sleep(0.05)
    raise AssertionError(f"no {at_least} trees in {DEADLINE_S} s")
