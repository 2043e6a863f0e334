"""deploy/docker/cpu.Dockerfile, really built (cpu_image.sh), and ``raystar doctor --node`` in it."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).with_name("cpu_image.sh")
HAS_TOOLS = os.geteuid() == 0 and all(shutil.which(tool) for tool in ("buildah", "debootstrap"))


@pytest.mark.slow
@pytest.mark.thorough
@pytest.mark.timeout(3600)
@pytest.mark.skipif(not HAS_TOOLS, reason="needs root and Debian's packages buildah and debootstrap")
def test_cpu_image_is_built_and_its_node_passes_the_checks() -> None:
    result = subprocess.run([SCRIPT], capture_output=True, text=True)
    assert result.returncode == 0, result.stdout[-3000:] + result.stderr[-3000:]
    levels = {line.split()[1].rstrip(":"): line.split()[0] for line in result.stdout.splitlines() if ": " in line}
    assert {levels[name] for name in ("ray", "torch", "deepspeed", "vllm", "isolation", "commands")} == {"ok"}
    assert "\nraystar\n" in result.stdout  # the user
