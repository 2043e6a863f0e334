"""A file for ``ray up`` on the hosts of a room, made from the project's own for machines that are there already."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import yaml

from tests.hosts.room import Room

PROJECT = Path(__file__).resolve().parents[2]
LOCAL_FILE = PROJECT / "deploy" / "ray_cluster_local.yaml"
ENVIRONMENT = Path(sys.prefix)
OWN_STEPS = ("pip install", "python3 -m venv")  # setup commands that make an environment: here it is there already


def write_launcher_file(room: Room, workers: int) -> Path:
    """Write the file for host 1 as head and ``workers`` further hosts; return its path, which all hosts see.

    It differs from the project's in addresses, user, the shared directory, and in that no packages are installed.
    """
    text = LOCAL_FILE.read_text(encoding="utf-8").replace("/shared", str(room.disk / "shared"))
    config: dict[str, Any] = yaml.safe_load(text)
    config["provider"] |= {
        "head_ip": room.address(1),
        "worker_ips": [room.address(host) for host in range(2, 2 + workers)],
    }
    config["auth"] = {"ssh_user": "root", "ssh_private_key": "~/.ssh/id_ed25519"}
    steps = [step for step in config["setup_commands"] if not any(own in step for own in OWN_STEPS)]
    config["setup_commands"] = [f"ln -sfn {ENVIRONMENT} ~/raystar-venv", *steps]
    path = room.disk / "cluster.yaml"
    path.write_text(yaml.safe_dump(config, sort_keys=False, width=1000))
    return path
