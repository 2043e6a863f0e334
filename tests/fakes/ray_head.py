"""A real Ray head of its own for tests, started as on a cluster, with GPUs that only Ray's accounting has."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
START_S = 120.0
RAY = [sys.executable, "-m", "ray.scripts.scripts"]


def environment(**more: str) -> dict[str, str]:
    """Return the environment of a process that must not find another Ray, and needs no token."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("RAY_")}
    return kept | {"RAY_AUTH_MODE": "disabled", "RAY_USAGE_STATS_ENABLED": "0", **more}


@contextmanager
def ray_head(*, cpus: int, gpus: int = 0, autoscaling: Mapping[str, Any] | None = None) -> Iterator[str]:
    """Run ``ray start --head`` until the block ends; yield its address. ``autoscaling``: config of its autoscaler."""
    # A short path: sockets lie in it.
    with tempfile.TemporaryDirectory(prefix="rs-", ignore_cleanup_errors=True) as name, socket.socket() as probe:
        folder = Path(name)
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
        probe.close()
        command = [*RAY, "start", "--head", "--block", f"--port={port}", "--node-ip-address=127.0.0.1"]
        command += [f"--num-cpus={cpus}", f"--num-gpus={gpus}", f"--temp-dir={folder / 'ray'}"]
        command += ["--include-dashboard=false", f"--object-store-memory={90 * 2**20}", "--disable-usage-stats"]
        more = {}
        if autoscaling is not None:
            (folder / "autoscaling.json").write_text(json.dumps(autoscaling), encoding="utf-8")
            command.append(f"--autoscaling-config={folder / 'autoscaling.json'}")
            more = {"AUTOSCALER_UPDATE_INTERVAL_S": "1", "RAY_FAKE_CLUSTER": "1"}
        log = folder / "log"
        with log.open("wb") as output:
            head = subprocess.Popen(
                command, env=environment(**more), stdout=output, stderr=subprocess.STDOUT, start_new_session=True
            )
        try:
            _wait(head, port, log)
            yield f"127.0.0.1:{port}"
        finally:
            head.terminate()
            with suppress(subprocess.TimeoutExpired):
                head.wait(timeout=30)
            with suppress(ProcessLookupError):
                os.killpg(head.pid, signal.SIGKILL)


def _wait(head: subprocess.Popen[bytes], port: int, log: Path) -> None:
    """Return once the head says that it runs and its port is open. Raises AssertionError with its output."""
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline and head.poll() is None:
        if b"Ray runtime started" in log.read_bytes():
            with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=5):
                return
        time.sleep(0.2)
    raise AssertionError(f"ray start did not come up: {log.read_text(errors='replace')[-2000:]}")


def raystar(*arguments: str, folder: Path, timeout_s: float = 200) -> subprocess.CompletedProcess[str]:
    """Run a command of RayStar in a process of its own, in ``folder``."""
    command = [sys.executable, "-m", "cluster.cli", *arguments]
    variables = environment(PYTHONPATH=str(ROOT), COLUMNS="200")
    return subprocess.run(command, cwd=folder, env=variables, capture_output=True, text=True, timeout=timeout_s)
