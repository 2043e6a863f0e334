"""Read the files of deploy/ and what several of their tests compare them with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from actors.placement.nodes import ROLE_LABEL

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
KUBERAY = DEPLOY / "kuberay"
ROLES = {"head", "gpu", "executor"}
__all__ = ["DEPLOY", "KUBERAY", "ROLES", "ROLE_LABEL", "ROOT", "documents", "kuberay_objects", "locked_version", "only"]


def documents(path: Path) -> list[dict[str, Any]]:
    """Return the YAML documents of a file."""
    return list(yaml.safe_load_all(path.read_text(encoding="utf-8")))


def only(path: Path) -> dict[str, Any]:
    """Return the single YAML document of a file."""
    (document,) = documents(path)
    return document


def kuberay_objects() -> dict[tuple[str, str], dict[str, Any]]:
    """Return all objects of deploy/kuberay by kind and name."""
    objects = [document for path in sorted(KUBERAY.glob("*.yaml")) for document in documents(path)]
    return {(document["kind"], document["metadata"]["name"]): document for document in objects}


def locked_version(package: str, lock: str = "gpu.lock") -> str:
    """Return the version of a package in a lock."""
    lines = (ROOT / "requirements" / lock).read_text(encoding="utf-8").splitlines()
    return next(line.partition("==")[2] for line in lines if line.startswith(f"{package}=="))
