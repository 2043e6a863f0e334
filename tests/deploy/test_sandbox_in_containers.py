"""docs/security.md, Platforms: the sandbox is strict under the seccomp profiles of containers, without user namespaces."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.deploy.manifests import ROOT

PROGRAM = Path(__file__).with_name("container_profile.py")
# Podman's and Buildah's, in Debian's package golang-github-containers-common; Docker's is seccomp/default.json of moby/profiles.
PROFILE = Path(os.environ.get("CONTAINER_SECCOMP_PROFILE", "/usr/share/containers/seccomp.json"))


def start_under_profile(*profile: Path) -> dict[str, Any]:
    """Return what a sandbox says of itself that was started in a process under a profile."""
    result = subprocess.run([sys.executable, PROGRAM, *profile], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert result.returncode == 0, result.stderr[-2000:]
    answer: dict[str, Any] = json.loads(result.stdout.splitlines()[-1])
    return answer


def test_sandbox_is_strict_when_namespaces_are_forbidden() -> None:
    answer = start_under_profile()
    assert answer["user_namespaces"] is False
    assert (answer["tier"], answer["missing"]) == ("strict", [])


@pytest.mark.skipif(
    not PROFILE.exists(), reason=f"no {PROFILE}: CONTAINER_SECCOMP_PROFILE names a profile of containers"
)
def test_sandbox_is_strict_under_the_default_profile() -> None:
    answer = start_under_profile(PROFILE)
    assert (answer["tier"], answer["missing"]) == ("strict", [])
