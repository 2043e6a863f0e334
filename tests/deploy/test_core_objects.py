"""Core objects of deploy/kuberay, and the pods that KubeRay makes of our templates, checked by kubernetes-validate."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.deploy.manifests import kuberay_objects
from tests.deploy.tool_environments import tool_environment

KUBERNETES = "1.33"
pytestmark = pytest.mark.slow


def pods() -> list[dict[str, Any]]:
    """Return a pod of every template of the cluster, which the job's is equal to."""
    spec = kuberay_objects()["RayCluster", "raystar"]["spec"]
    return [
        {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": f"pod-{number}"}, "spec": group["template"]["spec"]}
        for number, group in enumerate([spec["headGroupSpec"], *spec["workerGroupSpecs"]])
    ]


def core_objects() -> list[dict[str, Any]]:
    return [document for (kind, _), document in kuberay_objects().items() if not kind.startswith("Ray")]


def check(objects: list[dict[str, Any]], file: Path) -> subprocess.CompletedProcess[str]:
    """Run kubernetes-validate, which refuses unknown fields, on objects."""
    file.write_text(yaml.safe_dump_all(objects), encoding="utf-8")
    program = tool_environment("kubernetes-validate") / "kubernetes-validate"
    command = [program, "--strict", "--kubernetes-version", KUBERNETES, str(file)]
    return subprocess.run(command, capture_output=True, text=True)


def test_core_objects_and_pods_fit_kubernetes(tmp_path: Path) -> None:
    objects = [*core_objects(), *pods()]
    assert len(objects) == 6
    result = check(objects, tmp_path / "objects.yaml")
    assert result.returncode == 0, result.stdout + result.stderr


def test_a_misspelt_field_of_a_pod_is_refused(tmp_path: Path) -> None:
    pod = pods()[0]
    pod["spec"]["restartPolicys"] = "Never"
    result = check([pod], tmp_path / "pod.yaml")
    assert result.returncode != 0
    assert "restartPolicys" in result.stdout + result.stderr
