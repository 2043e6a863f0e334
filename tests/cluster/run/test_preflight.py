"""Checks of model directories, worked examples and stored trees before a run starts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cluster.config.run_config import PolicyConfig
from cluster.run import preflight
from search.data import Problem
from search.errors import UserError
from search.formats.code_format import END_OF_STEP
from search.reward_models import RewardModelKind
from search.storage import tree_store
from search.tree import Tree
from tests.fakes.tiny_model import make_empty_model


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A directory with the files of a model, empty where their content does not matter here."""
    return make_empty_model(tmp_path / "model", architecture=None)


def add_step_tags(model: Path) -> None:
    make_empty_model(model, architecture=None, tags=[END_OF_STEP])


def test_model_trained_on_the_step_format_passes(model: Path) -> None:
    with pytest.raises(UserError, match="does not know the step format"):
        preflight.check_policy(PolicyConfig(path=str(model)))
    add_step_tags(model)
    preflight.check_policy(PolicyConfig(path=str(model)))  # raises no more


@pytest.mark.parametrize(
    ("missing", "message"),
    [
        ("config.json", "it has no config.json"),
        ("model.safetensors", "holds no weights"),
        ("tokenizer.json", "holds no tokenizer"),
    ],
)
def test_incomplete_model_is_refused(model: Path, missing: str, message: str) -> None:
    (model / missing).unlink()
    with pytest.raises(UserError, match=message):
        preflight.check_policy(PolicyConfig(path=str(model)))


@pytest.mark.parametrize(("stored", "named", "age"), [(None, 1, "older"), (1, 1, "older"), (4, 4, "newer")])
def test_model_of_another_schema_version_is_refused(model: Path, stored: int | None, named: int, age: str) -> None:
    facts = {"fingerprint": "f", "steps": 3}
    (model / "train.json").write_text(json.dumps(facts if stored is None else {"schema": stored, **facts}))
    message = (
        rf"--init: .*model has schema version {named}, this RayStar reads and writes version 3: "
        rf"train the model again, or use the {age} RayStar that wrote it"
    )
    with pytest.raises(UserError, match=message):
        preflight.check_model("--init", model)
    for text in ('{"schema": 3, "fingerprint": "f"}', '{"of": "another project"}'):
        (model / "train.json").write_text(text)
        preflight.check_model("--init", model)


def test_model_without_step_format_needs_worked_examples(model: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"does not know the step format 'code' \(its tokenizer has no <end_of_step>\)"):
        preflight.check_policy(PolicyConfig(path=str(model)))
    with pytest.raises(UserError, match="its tokenizer has no chat template"):
        preflight.check_policy(PolicyConfig(path=str(model), format="plain"))
    (tmp_path / "shots.txt").write_text("one\ntwo\n---\nthree\n")
    config = PolicyConfig(path=str(model), shots=str(tmp_path / "shots.txt"))
    preflight.check_policy(config)
    assert preflight.load_shots(config) == ("one\ntwo", "three")


def test_shots_file_without_examples_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty.txt").write_text("---\n")
    with pytest.raises(UserError, match="holds no worked example"):
        preflight.load_shots(PolicyConfig(shots=str(tmp_path / "empty.txt")))


def test_hugging_face_name_passes() -> None:
    preflight.check_policy(PolicyConfig(path="Qwen/Qwen2.5-Coder-0.5B-Instruct"))
    with pytest.raises(UserError, match="no model directory"):
        preflight.check_policy(PolicyConfig(path="./Qwen/none"))


def write_reward_model_config(
    model: Path, labels: list[str] | None, architecture: str = "Qwen2ForSequenceClassification"
) -> None:
    make_empty_model(model, labels, architecture)


@pytest.mark.parametrize(
    ("labels", "option", "kind"),
    [
        (["reward"], None, RewardModelKind.PPM),
        (["value"], "q_regression", RewardModelKind.Q_REGRESSION),
        (["correct"], None, RewardModelKind.ORM),
        (["correct", "neutral", "incorrect"], None, RewardModelKind.PRM),
        (["LABEL_0"], "orm", RewardModelKind.ORM),
    ],
)
def test_reward_model_kind_is_that_of_labels_or_option(
    model: Path, labels: list[str], option: str | None, kind: RewardModelKind
) -> None:
    write_reward_model_config(model, labels)
    assert preflight.reward_model_kind("--model", model, option) is kind


@pytest.mark.parametrize(
    ("labels", "option", "message"),
    [
        (["reward"], "orm", r"--kind orm: the labels of .* \(reward\) are those of the kind ppm"),
        (
            ["LABEL_0"],
            None,
            "does not say what it was trained for: give --kind, one of ppm, q_regression, orm, dpo, prm",
        ),
        (
            ["incorrect", "neutral", "correct"],
            "prm",
            "gives 3 numbers .*: one is needed, or correct, neutral, incorrect",
        ),
        (None, "prm", "gives 2 numbers"),
    ],
)
def test_reward_model_of_unclear_kind_is_refused(
    model: Path, labels: list[str] | None, option: str | None, message: str
) -> None:
    write_reward_model_config(model, labels)
    with pytest.raises(UserError, match=message):
        preflight.reward_model_kind("--model", model, option)
    write_reward_model_config(model, ["reward"], "Qwen2ForCausalLM")
    with pytest.raises(UserError, match="is no reward model"):
        preflight.reward_model_kind("--model", model, None)


def test_stored_trees_are_checked(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"--trees: no trees in .*nowhere"):
        preflight.check_trees("--trees", tmp_path / "nowhere", independent=False)
    file = tree_store.worker_file(tmp_path, 0)
    for tree, message in (
        (Tree(Problem(id="p", question="?", answer="", source="t"), strategy="sampling"), "have no reference answers"),
        (
            Tree(Problem(id="p", question="?", answer="1", source="t"), strategy="mcts"),
            "grown by 'mcts': their solutions are no independent samples",
        ),
    ):
        file.unlink(missing_ok=True)
        with tree_store.TreeWriter(file) as writer:
            writer.append(tree)
        with pytest.raises(UserError, match=message):
            preflight.check_trees("--trees", tmp_path, independent=True)
    preflight.check_trees("--trees", tmp_path, independent=False)
    file.write_text("{}\n")
    with pytest.raises(UserError, match=r"trees-0\.jsonl:1: not a tree"):
        preflight.check_trees("--trees", tmp_path, independent=False)
