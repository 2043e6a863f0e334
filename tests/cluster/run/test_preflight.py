"""Model directories and worked examples are looked at before anything starts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cluster.config.run_config import PolicyConfig
from cluster.run import preflight
from search.data import Problem
from search.errors import UserError
from search.formats.registry import END_OF_STEP
from search.reward_models import RewardModelKind
from search.storage import tree_store
from search.tree import Tree


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A directory with the files of a model, empty where their content does not matter here."""
    directory = tmp_path / "model"
    directory.mkdir()
    for name in ("config.json", "tokenizer.json", "tokenizer_config.json"):
        (directory / name).write_text("{}")
    (directory / "model.safetensors").write_bytes(b"")
    return directory


def knows(model: Path) -> None:
    (model / "tokenizer.json").write_text(json.dumps({"added_tokens": [{"content": END_OF_STEP}]}))


def test_a_model_that_knows_the_format_passes(model: Path) -> None:
    with pytest.raises(UserError, match="does not know the step format"):
        preflight.policy(PolicyConfig(path=str(model)))
    knows(model)
    preflight.policy(PolicyConfig(path=str(model)))  # raises no more


@pytest.mark.parametrize(
    ("missing", "message"),
    [
        ("config.json", "it has no config.json"),
        ("model.safetensors", "holds no weights"),
        ("tokenizer.json", "holds no tokenizer"),
    ],
)
def test_an_incomplete_model_is_refused(model: Path, missing: str, message: str) -> None:
    (model / missing).unlink()
    with pytest.raises(UserError, match=message):
        preflight.policy(PolicyConfig(path=str(model)))


def test_a_model_without_a_step_format_needs_worked_examples(model: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"does not know the step format 'code' \(its tokenizer has no <end_of_step>\)"):
        preflight.policy(PolicyConfig(path=str(model)))
    with pytest.raises(UserError, match="it has no chat template"):
        preflight.policy(PolicyConfig(path=str(model), format="plain"))
    (tmp_path / "shots.txt").write_text("one\ntwo\n---\nthree\n")
    config = PolicyConfig(path=str(model), shots=str(tmp_path / "shots.txt"))
    preflight.policy(config)
    assert preflight.shots(config) == ("one\ntwo", "three")


def test_worked_examples_must_be_there(tmp_path: Path) -> None:
    (tmp_path / "empty.txt").write_text("---\n")
    with pytest.raises(UserError, match="holds no worked example"):
        preflight.shots(PolicyConfig(shots=str(tmp_path / "empty.txt")))


def test_a_hugging_face_name_is_left_to_the_start() -> None:
    preflight.policy(PolicyConfig(path="Qwen/Qwen2.5-Coder-0.5B-Instruct"))
    with pytest.raises(UserError, match="no model directory"):
        preflight.policy(PolicyConfig(path="./Qwen/none"))


def judge(model: Path, labels: list[str] | None, architecture: str = "Qwen2ForSequenceClassification") -> None:
    config: dict[str, object] = {"architectures": [architecture]}
    if labels is not None:
        config["id2label"] = {str(index): name for index, name in enumerate(labels)}
    (model / "config.json").write_text(json.dumps(config))


@pytest.mark.parametrize(
    ("labels", "given", "kind"),
    [
        (["reward"], None, RewardModelKind.PPM),
        (["value"], "q_regression", RewardModelKind.Q_REGRESSION),
        (["right"], None, RewardModelKind.ORM),
        (["right", "neutral", "wrong"], None, RewardModelKind.PRM),
        (["LABEL_0"], "orm", RewardModelKind.ORM),
    ],
)
def test_a_judge_says_what_it_is_or_is_told(
    model: Path, labels: list[str], given: str | None, kind: RewardModelKind
) -> None:
    judge(model, labels)
    assert preflight.judge("--model", model, given) is kind


@pytest.mark.parametrize(
    ("labels", "given", "message"),
    [
        (["reward"], "orm", r"--kind orm: the labels of .* \(reward\) are those of the kind ppm"),
        (
            ["LABEL_0"],
            None,
            "does not say what it was trained for: give --kind, one of ppm, q_regression, orm, dpo, prm",
        ),
        (["wrong", "neutral", "right"], "prm", "gives 3 numbers .*: one is needed, or right, neutral, wrong"),
        (None, "prm", "gives 2 numbers"),
    ],
)
def test_a_judge_that_cannot_be_read_is_refused(
    model: Path, labels: list[str] | None, given: str | None, message: str
) -> None:
    judge(model, labels)
    with pytest.raises(UserError, match=message):
        preflight.judge("--model", model, given)
    judge(model, ["reward"], "Qwen2ForCausalLM")
    with pytest.raises(UserError, match="is no reward model"):
        preflight.judge("--model", model, None)


def test_stored_trees_are_looked_at(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"--trees: no trees in .*nowhere"):
        preflight.trees("--trees", tmp_path / "nowhere", independent=False)
    file = tree_store.worker_file(tmp_path, 0)
    for tree, message in (
        (Tree(Problem("p", "?", "", "t"), strategy="samples"), "have no reference answers"),
        (
            Tree(Problem("p", "?", "1", "t"), strategy="mcts"),
            "grown by 'mcts': their solutions are no independent samples",
        ),
    ):
        file.unlink(missing_ok=True)
        with tree_store.TreeWriter(file) as writer:
            writer.append(tree)
        with pytest.raises(UserError, match=message):
            preflight.trees("--trees", tmp_path, independent=True)
    preflight.trees("--trees", tmp_path, independent=False)
    file.write_text("{}\n")
    with pytest.raises(UserError, match=r"trees-0\.jsonl:1: not a tree"):
        preflight.trees("--trees", tmp_path, independent=False)
