"""ray_cluster.yaml and its local variant, checked by the schema and the preparation of the installed Ray, without a cloud."""

from __future__ import annotations

import os
import runpy
import sys
from pathlib import Path
from typing import Any

import pytest
from ray._private.label_utils import validate_node_labels
from ray.autoscaler._private.util import prepare_config, validate_config

from tests.deploy.manifests import DEPLOY, ROLE_LABEL, ROLES, ROOT, only

FILES = {"aws": ROOT / "ray_cluster.yaml", "local": DEPLOY / "ray_cluster_local.yaml"}


@pytest.fixture(scope="module", params=FILES)
def prepared(request: pytest.FixtureRequest) -> dict[str, Any]:
    return prepare_config(only(FILES[request.param]))


@pytest.fixture(scope="module")
def aws() -> dict[str, Any]:
    return prepare_config(only(FILES["aws"]))


def start_command(config: dict[str, Any], node: str) -> str:
    """Return the one command that starts Ray on a head or a worker."""
    (start,) = [command for command in config[f"{node}_start_ray_commands"] if "ray start" in command]
    return str(start)


def setup_text(config: dict[str, Any], node: str) -> str:
    """Return all set-up commands of a head or a worker, in their order."""
    return "\n".join(config[f"{node}_setup_commands"])


def test_config_fits_the_schema_of_ray(prepared: dict[str, Any]) -> None:
    validate_config(prepared)  # raises if it does not
    assert prepared["head_node_type"] in prepared["available_node_types"]


def test_schema_of_ray_refuses_an_unknown_field() -> None:
    with pytest.raises(Exception, match="max_wrokers"):
        validate_config(prepare_config(only(FILES["aws"]) | {"max_wrokers": 3}))


def test_node_types_are_labelled_with_their_roles(aws: dict[str, Any]) -> None:
    types = aws["available_node_types"]
    assert {name: kind["labels"] for name, kind in types.items()} == {role: {ROLE_LABEL: role} for role in ROLES}
    for kind in types.values():
        validate_node_labels(kind["labels"])
    assert sum(kind["max_workers"] for kind in types.values()) == aws["max_workers"] == 6
    assert not aws.get("docker")


def test_nothing_that_asks_for_a_core_runs_beside_the_driver(aws: dict[str, Any]) -> None:
    assert aws["available_node_types"]["head"]["resources"] == {"CPU": 0, "GPU": 0}


def test_local_variant_labels_nodes_where_ray_starts() -> None:
    config = prepare_config(only(FILES["local"]))
    assert f"--labels={ROLE_LABEL}=head" in start_command(config, "head")
    assert f"--labels={ROLE_LABEL}=$(" in start_command(config, "worker")
    (node_type,) = config["available_node_types"].values()
    assert node_type["min_workers"] == node_type["max_workers"] == len(config["provider"]["worker_ips"])


@pytest.mark.parametrize("node", ["head", "worker"])
def test_nodes_install_a_lock_before_the_project(prepared: dict[str, Any], node: str) -> None:
    text = setup_text(prepared, node)
    assert text.index("--no-deps -r ~/raystar/requirements/") < text.index("--editable ~/raystar")


@pytest.mark.parametrize("node", ["head", "worker"])
def test_ray_starts_without_the_thread_limit_of_the_launcher(prepared: dict[str, Any], node: str) -> None:
    assert start_command(prepared, node).startswith("unset OMP_NUM_THREADS")


@pytest.mark.parametrize("node", ["head", "worker"])
def test_all_nodes_ask_for_the_token_that_is_copied_to_them(prepared: dict[str, Any], node: str) -> None:
    assert prepared["file_mounts"]["~/.ray/auth_token"].endswith("/.ray/auth_token")
    text = setup_text(prepared, node)
    assert "chmod 600 ~/.ray/auth_token" in text
    assert "RAY_AUTH_MODE=token" in text


@pytest.mark.parametrize("node", ["head", "worker"])
def test_environment_of_ray_has_our_commands_and_shared_caches(prepared: dict[str, Any], node: str) -> None:
    text = setup_text(prepared, node)
    exports = text[text.index("grep -q raystar-venv ~/.bashrc") :]
    assert 'export PATH="$HOME/raystar-venv/bin:$PATH"' in exports
    assert "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO=1" in exports
    assert "RAYSTAR_CACHE=/shared/raystar/cache HF_HOME=/shared/raystar/cache/huggingface" in exports
    assert exports.rstrip().endswith(">> ~/.bashrc")


@pytest.mark.parametrize("node", ["head", "worker"])
def test_run_directories_lie_on_shared_storage(prepared: dict[str, Any], node: str) -> None:
    assert "ln -sfn /shared/raystar/runs ~/raystar/runs" in setup_text(prepared, node)


def test_a_missing_file_system_ends_the_set_up_of_a_node(aws: dict[str, Any]) -> None:
    for node in ("head", "worker"):
        (mount,) = [command for command in aws[f"{node}_setup_commands"] if "mount -t nfs4" in command]
        assert "|| true" not in mount
        assert "FILE_SYSTEM_ID" in mount  # as it is shipped the mount fails, which is said where it stands


def test_submitted_script_runs_evolve_in_the_project(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, prepared: dict[str, Any]
) -> None:
    calls: list[tuple[Path, list[str]]] = []
    (tmp_path / "raystar").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("RAY_ADDRESS", "")  # so that what the script sets is taken back
    monkeypatch.delenv("RAY_ADDRESS")
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(sys, "argv", ["submit_evolve.py", "configs/x.yaml", "--seed", "3"])
    monkeypatch.setattr("os.execv", lambda path, arguments: calls.append((path, arguments)))
    runpy.run_path(str(DEPLOY / "submit_evolve.py"), run_name="__main__")
    assert calls[0][1][1:] == ["evolve", "configs/x.yaml", "--seed", "3"]
    assert Path.cwd() == tmp_path / "raystar"
    assert os.environ["RAY_ADDRESS"] == "auto"
    assert "OMP_NUM_THREADS" not in os.environ
    assert "~/raystar" in prepared["file_mounts"]
