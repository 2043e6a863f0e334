"""The lock between processes: exclusive, names its holder, taken over from the dead."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path
from threading import Timer

import pytest

from search.errors import UserError
from search.storage.lock import ProcessLock

ROOT = Path(__file__).resolve().parents[3]
HOLD = """
import sys, time
from pathlib import Path
from search.storage.lock import ProcessLock
lock = ProcessLock(Path(sys.argv[1]), "it is in use")
lock.acquire()
print("held", flush=True)
time.sleep(60)
"""


def test_second_holder_is_refused_and_told_the_first(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with ProcessLock(path, "runs/x is in use"):
        assert path.read_text() == f"{os.getpid()} on {os.uname().nodename}"
        with pytest.raises(UserError, match=f"^runs/x is in use by process {os.getpid()}: end it first$"):
            ProcessLock(path, "runs/x is in use").acquire()
    assert not path.exists()


def test_holder_is_named_with_its_host_when_on_another(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with ProcessLock(path, "it is in use"):
        path.write_text("12 on node-7")
        with pytest.raises(UserError, match="by process 12 on node-7: end it first"):
            ProcessLock(path, "it is in use").acquire()


def test_lock_is_free_again_after_release(tmp_path: Path) -> None:
    lock = ProcessLock(tmp_path / "lock", "it is in use")
    for _ in range(2):
        lock.acquire()
        lock.release()
    lock.release()
    with lock, pytest.raises(UserError):
        ProcessLock(tmp_path / "lock", "it is in use").acquire()


def test_waiting_holder_takes_the_lock_when_it_is_released(tmp_path: Path) -> None:
    first = ProcessLock(tmp_path / "lock", "it is in use")
    first.acquire()
    timer = Timer(0.1, first.release)
    timer.start()
    with ProcessLock(tmp_path / "lock", "it is in use", wait=30.0):
        timer.join()
        with pytest.raises(UserError):
            first.acquire()


def test_lock_of_a_killed_process_is_taken_over(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    command = [sys.executable, "-c", HOLD, str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as holder:
        assert holder.stdout is not None and holder.stdout.readline() == "held\n"
        with pytest.raises(UserError, match=f"by process {holder.pid}: end it first"):
            ProcessLock(path, "it is in use").acquire()
        holder.send_signal(signal.SIGKILL)
    assert path.exists()
    with ProcessLock(path, "it is in use"):
        assert path.read_text().startswith(f"{os.getpid()} on ")


@pytest.mark.parametrize(("number", "passes"), [(errno.ENOLCK, True), (errno.EOPNOTSUPP, True), (errno.EIO, False)])
def test_file_system_without_locks_lets_everybody_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, passes: bool
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("search.storage.lock.fcntl.flock", refuse)
    lock = ProcessLock(tmp_path / "lock", "runs/x is in use")
    if passes:
        with lock:
            assert (tmp_path / "lock").exists()
    else:
        with pytest.raises(OSError, match=os.strerror(number)):
            lock.acquire()
