"""Run ``raystar evolve`` on the head node of a cluster; ``ray submit`` copies this script there.

    ray submit ray_cluster.yaml deploy/submit_evolve.py -- configs/gsm8k_qwen_gpu.yaml --run-dir /shared/runs/gsm8k

Only this file is copied. The project is already on the nodes (``file_mounts`` in ray_cluster.yaml), and relative paths
start there. ``ray submit`` does not quote arguments: give none with spaces.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

PROJECT = Path.home() / "raystar"


def main() -> None:
    """Replace this process by ``raystar evolve``, joined to the cluster of this node."""
    os.environ.pop("OMP_NUM_THREADS", None)  # the launcher sets it to 1 for every command
    os.environ.setdefault("RAY_ADDRESS", "auto")
    os.chdir(PROJECT)
    raystar = Path(sys.executable).parent / "raystar"
    os.execv(raystar, [str(raystar), "evolve", *sys.argv[1:]])


if __name__ == "__main__":
    main()
