"""Several Linux hosts on this machine, for tests of what happens between hosts. ``room.sh`` makes them of namespaces.

    with Room(3, shared=[project]) as room:
        room.run(1, "ip", "address")            # in host 1, in the current directory

A room needs util-linux, procps and iproute2, and root or user namespaces. It has a network of its own, so that several rooms may
stand beside each other. Nothing of it outlives the block, nor this process: the kernel ends all.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

SCRIPT = Path(__file__).with_name("room.sh")
DISKS = Path("/var/tmp")  # /tmp and home are each host's own
TOOLS = ("unshare", "nsenter", "ip", "mount", "ps", "pgrep")
START_S = 60


class NoRoom(RuntimeError):
    """This machine does not allow rooms. The message is one line with the reason."""


class Room:
    """``count`` hosts, numbered from 1. A context manager; the hosts run inside the block.

    ``shared``: directories that all hosts see; all but these, /tmp, /dev/shm, /run and home is the machine's and should only
    be read. ``disk``: a directory outside /tmp that all hosts see too, and that is removed at the end.
    """

    def __init__(self, count: int, shared: Sequence[Path] = ()) -> None:
        self.count, self._shared = count, [str(path.resolve()) for path in shared]
        self.disk = Path()
        self._process: subprocess.Popen[str] | None = None
        self._is_root = os.geteuid() == 0

    @staticmethod
    def address(host: int) -> str:
        """Return the IPv4 address of a host."""
        return f"10.77.0.{10 + host}"

    @property
    def hosts(self) -> range:
        return range(1, self.count + 1)

    def __enter__(self) -> Self:
        """Start the hosts. Raises NoRoom."""
        if lacking := [tool for tool in TOOLS if shutil.which(tool) is None]:
            raise NoRoom(f"no {' and no '.join(lacking)} on this machine")
        self.disk = Path(tempfile.mkdtemp(prefix="raystar-room-", dir=DISKS))
        if self._is_root and shutil.which("ssh-keygen"):
            command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "room", "-f", str(self.disk / "key")]
            subprocess.run(command, check=True, timeout=START_S)
        user = [] if self._is_root else ["--user", "--map-root-user"]
        self._process = subprocess.Popen(
            ["unshare", *user, "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
            + [str(SCRIPT), "room", str(self.count), str(self.disk), *self._shared],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,  # ^C is for the tests; the room ends with them
        )
        assert self._process.stdout is not None
        if self._process.stdout.readline().strip() != "ready":
            reason = self._end() or self._first_log()
            raise NoRoom(f"namespaces are not allowed here: {reason or 'the room ended without a message'}")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def run(
        self,
        host: int,
        *command: str,
        timeout: float = 60,
        check: bool = True,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
    ) -> subprocess.CompletedProcess[str]:
        """Run a command in a host and return its result; stderr is part of stdout. ``env``: additional variables.

        Raises AssertionError with the end of its output if it fails (unless ``check`` is False) or takes longer than
        ``timeout`` seconds; then the command's processes are ended.
        """
        process = self.start(host, *command, env=env, cwd=cwd)
        try:
            output, _ = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            output, _ = process.communicate()
            raise AssertionError(
                f"h{host}: {' '.join(command)} took more than {timeout} s:\n{output[-3000:]}"
            ) from None
        if check and process.returncode != 0:
            raise AssertionError(f"h{host}: {' '.join(command)} ended with {process.returncode}:\n{output[-3000:]}")
        return subprocess.CompletedProcess(command, process.returncode, output)

    def start(
        self, host: int, *command: str, env: Mapping[str, str] | None = None, cwd: Path | None = None
    ) -> subprocess.Popen[str]:
        """Start a command in a host; its output is a pipe."""
        init = (self.disk / f"h{host}" / "init").read_text().strip()
        settings = [f"{name}={value}" for name, value in (env or {}).items()]
        return subprocess.Popen(
            [*self._enter(), "nsenter", "--target", init, "--mount", "--uts", "--ipc", "--net", "--pid", "--"]
            + ["env", "--chdir", str(cwd or Path.cwd()), *settings, *command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def processes(self, host: int) -> list[str]:
        """Return the command lines of a host's processes, zombies included, without process 1, its sshd and its pause."""
        lines = self.run(host, "ps", "-eo", "pid=,args=", cwd=Path("/")).stdout.splitlines()
        rows = [line.split(None, 1) for line in lines if line.strip()]
        own = ("sleep 3600", "sshd:", "/usr/sbin/sshd", "ps -eo")
        return [command for pid, command in rows if pid != "1" and not command.startswith(own)]

    def _enter(self) -> list[str]:
        """Return the command that enters the room, before one that enters a host of it."""
        assert self._process is not None, "the room has not been entered"
        launcher = self._process.pid
        init = Path(f"/proc/{launcher}/task/{launcher}/children").read_text().split()[0]
        user = [] if self._is_root else ["--user", "--preserve-credentials"]
        return ["nsenter", "--target", init, *user, "--mount", "--net", "--pid", "--"]

    def _end(self) -> str:
        """End the room and remove its disk. Return the last line of what it wrote as errors."""
        errors = ""
        if self._process is not None:
            _, errors = self._process.communicate(timeout=START_S)  # closes its standard input
        subprocess.run(
            ["chmod", "-R", "u+rwX", str(self.disk)], check=False, timeout=START_S
        )  # overlays leave modes of 0
        shutil.rmtree(self.disk, ignore_errors=True)
        return errors.strip().rpartition("\n")[2]

    def _first_log(self) -> str:
        logs = sorted(self.disk.glob("h*/log"))
        return next((text for log in logs if (text := log.read_text().strip().rpartition("\n")[2])), "")
