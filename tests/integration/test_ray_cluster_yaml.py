"""ray_cluster.yaml checked by the schema and the preparation of the installed Ray, without a cloud."""

from __future__ import annotations

import os
import runpy
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from ray.autoscaler._private.util import prepare_config, validate_config

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def prepared() -> dict[str, Any]:
    return prepare_config(yaml.safe_load((ROOT / "ray_cluster.yaml").read_text()))


def test_config_fits_the_schema_of_ray(prepared: dict[str, Any]) -> None:
    validate_config(prepared)  # raises if it does not
    assert set(prepared["available_node_types"]) >= {prepared["head_node_type"]}


def test_schema_of_ray_refuses_an_unknown_field() -> None:
    config = yaml.safe_load((ROOT / "ray_cluster.yaml").read_text()) | {"max_wrokers": 3}
    with pytest.raises(Exception, match="max_wrokers"):
        validate_config(prepare_config(config))


def test_node_types_are_head_gpu_and_executor(prepared: dict[str, Any]) -> None:
    types = prepared["available_node_types"]
    assert prepared["head_node_type"] == "head"
    assert set(types) == {"head", "gpu", "executor"}
    assert types["head"]["resources"]["GPU"] == 0
    assert sum(node_type["max_workers"] for node_type in types.values()) == prepared["max_workers"] == 6
    assert "docker" not in prepared or not prepared["docker"]


def test_nodes_install_the_gpu_lock_before_the_project(prepared: dict[str, Any]) -> None:
    for commands in (prepared["head_setup_commands"], prepared["worker_setup_commands"]):
        text = "\n".join(commands)
        assert text.index("--no-deps -r ~/raystar/requirements/gpu.lock") < text.index("--editable ~/raystar")
    assert (ROOT / "requirements" / "gpu.lock").is_file()


@pytest.mark.parametrize("commands", ["head_start_ray_commands", "worker_start_ray_commands"])
def test_ray_starts_without_the_thread_limit_of_the_launcher(prepared: dict[str, Any], commands: str) -> None:
    (start,) = [command for command in prepared[commands] if "ray start" in command]
    assert start.startswith("unset OMP_NUM_THREADS")


def test_submitted_script_runs_evolve_in_the_project(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, prepared: dict[str, Any]
) -> None:
    calls: list[tuple[Path, list[str]]] = []
    (tmp_path / "raystar").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(sys, "argv", ["submit_evolve.py", "configs/x.yaml", "--seed", "3"])
    monkeypatch.setattr("os.execv", lambda path, arguments: calls.append((path, arguments)))
    runpy.run_path(str(ROOT / "deploy" / "submit_evolve.py"), run_name="__main__")
    assert calls[0][1][1:] == ["evolve", "configs/x.yaml", "--seed", "3"]
    assert Path.cwd() == tmp_path / "raystar"
    assert os.environ["RAY_ADDRESS"] == "auto"
    assert "OMP_NUM_THREADS" not in os.environ
    assert list(prepared["file_mounts"]) == ["~/raystar"]
