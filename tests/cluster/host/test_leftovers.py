"""Processes of Ray, vLLM and the sandbox are recognised by their command lines, and ended, the stubborn ones too."""

from __future__ import annotations

import subprocess
import sys

import psutil
import pytest

from cluster.host.leftovers import end_leftovers, is_leftover

STUBBORN = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(60)"


@pytest.mark.parametrize(
    "command",
    [
        "/v/lib/python3.11/site-packages/ray/core/src/ray/raylet/raylet --raylet_socket_name=/tmp/ray/s",
        "/v/lib/python3.11/site-packages/ray/core/src/ray/gcs/gcs_server --log_dir=/tmp/ray",
        "/v/bin/python -u /v/lib/python3.11/site-packages/ray/dashboard/agent.py --node-ip-address=10.0.0.1",
        "/v/bin/python /v/lib/python3.11/site-packages/ray/_private/log_monitor.py",
        "ray::IDLE",
        "ray::SearchWorker.run",
        "VLLM::EngineCore",
        "/v/bin/python -s -P -m actors.sandbox.server.main 5 {} /tmp/x",
        "/v/bin/python -s -P -B -m actors.sandbox.jail.zygote 5",
    ],
)
def test_process_of_a_run_is_recognised(command: str) -> None:
    assert is_leftover(command)


@pytest.mark.parametrize(
    "command",
    ["/v/bin/python /v/bin/raystar cleanup", "vim ray/notes.py", "xray::IDLE", "bash -c 'tail -f /tmp/ray/log'", ""],
)
def test_other_process_is_left_alone(command: str) -> None:
    assert not is_leftover(command)


def test_leftovers_are_ended_when_they_ignore_the_request() -> None:
    child = subprocess.Popen([sys.executable, "-c", STUBBORN], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    assert child.stdout.readline() == "up\n"
    process = psutil.Process(child.pid)

    def find() -> list[psutil.Process]:
        return [process] if process.is_running() and process.status() != psutil.STATUS_ZOMBIE else []

    assert end_leftovers(find, grace_s=0.2) == (1, [])
    assert not process.is_running()
    assert end_leftovers(find, grace_s=0.2) == (0, [])
