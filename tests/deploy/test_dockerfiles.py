"""deploy/docker: what both files must do, and what hadolint says of them. The CPU image is built by hand (docs/cluster.md)."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from tests.deploy.manifests import DEPLOY, ROOT
from tests.deploy.tool_environments import tool_environment

FILES = {kind: DEPLOY / "docker" / f"{kind}.Dockerfile" for kind in ("cpu", "gpu")}
both_kinds = pytest.mark.parametrize("kind", FILES)


def instructions(kind: str) -> list[str]:
    """Return the instructions of a file, each on one line, without comments."""
    text = re.sub(r"^\s*#.*\n", "", FILES[kind].read_text(encoding="utf-8"), flags=re.MULTILINE)
    return [line for line in text.replace("\\\n", " ").splitlines() if line.strip()]


def position(lines: list[str], pattern: str) -> int:
    """Return the number of the only instruction that matches."""
    (number,) = [number for number, line in enumerate(lines) if re.search(pattern, line)]
    return number


@both_kinds
def test_packages_come_from_the_lock_before_the_project(kind: str) -> None:
    lines = instructions(kind)
    lock = position(lines, rf"^COPY requirements/{kind}.lock requirements/$")
    packages = position(lines, rf"^RUN .*pip install --no-deps -r .*{'/dev/stdin' if kind == 'cpu' else 'gpu.lock'}")
    project = position(lines, r"^COPY \. /raystar$")
    assert lock < packages < project < position(lines, r"--no-deps --no-build-isolation --editable \.$")
    assert (ROOT / "requirements" / f"{kind}.lock").is_file()


@both_kinds
def test_image_runs_as_a_user_and_checks_its_node(kind: str) -> None:
    lines = instructions(kind)
    assert position(lines, "^USER 1000:1000$") < position(lines, "^CMD")
    assert lines[-1] == 'CMD ["raystar", "doctor", "--node"]'
    assert position(lines, r"useradd .*--uid 1000 raystar") < position(lines, "^USER")  # runAsUser of deploy/kuberay


@both_kinds
def test_image_has_what_the_sandbox_vllm_and_kuberay_need(kind: str) -> None:
    lines = instructions(kind)
    install = lines[position(lines, "apt-get install")].split()
    assert {"libseccomp2", "libnuma1", "wget", "g++", "python3-dev", "python3-venv"} <= set(install)


@both_kinds
def test_commands_are_on_the_path_of_login_shells_too(kind: str) -> None:
    lines = instructions(kind)
    assert "PATH=/opt/raystar/bin:${PATH}" in lines[position(lines, "^ENV PATH")]
    assert "/etc/profile.d/raystar.sh" in lines[position(lines, "python3 -m venv")]


def test_context_of_the_images_leaves_out_what_is_ignored() -> None:
    left_out = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert {".git", ".venv", "runs"} <= set(left_out)
    for needed in ("actors", "cluster", "search", "train", "configs", "requirements", "pyproject.toml", "README.md"):
        assert needed not in left_out


@pytest.mark.slow
@both_kinds
def test_hadolint_finds_nothing(kind: str) -> None:
    program = tool_environment("hadolint") / "hadolint"
    result = subprocess.run([program, "--no-color", str(FILES[kind])], capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.slow
def test_hadolint_refuses_a_bad_file(tmp_path: Path) -> None:
    bad = tmp_path / "Dockerfile"
    bad.write_text("FROM debian\nRUN cd /tmp && sudo true\n", encoding="utf-8")
    program = tool_environment("hadolint") / "hadolint"
    result = subprocess.run([program, "--no-color", str(bad)], capture_output=True, text=True)
    assert result.returncode == 1
    assert "DL3004" in result.stdout
