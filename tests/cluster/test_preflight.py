"""Model directories and worked examples are looked at before anything starts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cluster import preflight
from cluster.config import PolicyConfig
from search.errors import UserError
from search.formats import END_OF_STEP


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
