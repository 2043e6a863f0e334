"""``raystar export`` as a user calls it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from cluster.cli import main
from search.formats.model_prompt import ModelPrompt, write_model_prompt
from tests.fakes.hub_server import TOKEN, hub_server
from tests.fakes.tiny_model import make_policy


@pytest.fixture(scope="module")
def policy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = make_policy(tmp_path_factory.mktemp("policy"), width=32, intermediate=64, heads=2)
    write_model_prompt(directory, ModelPrompt(format="code", trained_on_format=True))
    return directory


def test_export_writes_a_directory(policy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", str(policy), str(tmp_path / "out")]) == 0
    assert (tmp_path / "out" / "README.md").is_file()
    assert f"is in {tmp_path / 'out'}" in capsys.readouterr().out


def test_export_writes_nothing_in_a_dry_run(policy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", str(policy), str(tmp_path / "out"), "--dry-run"]) == 0
    assert "## How to prompt it" in capsys.readouterr().out
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["{policy}", "{policy}"], "exists and is not an empty directory"),
        (["{policy}", "{out}", "--private"], "--private: nothing is pushed"),
        (["{policy}", "{out}", "--push-to-hub", "model"], "a name on the Hub is needed, as OWNER/NAME"),
        (["{out}/none", "{out}"], "no model directory"),
        (["{policy}", " "], "DIR: the name is empty"),
        (["", "{out}"], "MODEL: the name is empty"),
        (
            ["{policy}", "{out}", "--license", "Mine, all mine"],
            "--license: 'Mine, all mine' is no identifier of a licence",
        ),
    ],
)
def test_export_is_refused_in_one_line(
    arguments: list[str], reason: str, policy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert main(["export", *(text.format(policy=policy, out=out) for text in arguments)]) == 2
    message = capsys.readouterr().err
    assert reason in message and message.count("\n") == 1
    assert not out.exists()


def test_a_reward_model_of_others_is_not_exported(
    policy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A causal language model whose name says that it scores steps: exported as a policy it would mislead."""
    other = tmp_path / "math-shepherd-mistral-7b-prm"
    shutil.copytree(policy, other)
    (other / "raystar.json").unlink()
    assert main(["export", str(other), str(tmp_path / "out")]) == 2
    assert "is a reward model of the kind math_shepherd that RayStar did not train" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_export_pushes_to_the_hub_of_the_environment(policy: Path, tmp_path: Path) -> None:
    with hub_server() as hub:
        environment = {**os.environ, "HF_ENDPOINT": hub.endpoint, "HF_TOKEN": TOKEN, "HF_HUB_DISABLE_XET": "1"}
        environment.pop("HF_HUB_OFFLINE", None)
        command = [sys.executable, "-m", "cluster.cli", "export", str(policy), str(tmp_path / "out"), "--push-to-hub"]
        result = subprocess.run([*command, "ada/model"], capture_output=True, text=True, env=environment, timeout=120)
        assert result.returncode == 0, result.stderr
        assert "pushed as ada to the new repository ada/model" in result.stdout
        files = {file.name: file.read_bytes() for file in (tmp_path / "out").iterdir()}
        assert hub.repositories["ada/model"].files == files
