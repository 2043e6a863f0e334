"""Read from /proc what processes and this machine have used so far. Linux only."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")


def process_cpu_seconds(pids: Sequence[int]) -> float:
    """Return the processor seconds that these processes have used so far."""
    fields = (Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split() for pid in pids)
    return sum(int(user) + int(system) for user, system in (process[11:13] for process in fields)) / TICKS


def machine_cpu_seconds() -> float:
    """Return the processor seconds that this machine has used so far."""
    user, nice, system, _, _, irq, soft, *_ = Path("/proc/stat").read_text().split("\n")[0].split()[1:]
    return sum(map(int, (user, nice, system, irq, soft))) / TICKS


def peak_mib(pid: int) -> float:
    """Return the peak resident memory of a process so far (MiB)."""
    match = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text(encoding="utf-8"))
    if match is None:
        raise RuntimeError(f"/proc/{pid}/status has no VmHWM: Linux is needed")
    return int(match[1]) / 1024
