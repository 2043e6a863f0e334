"""Count the CPU cores that a process may keep busy: by its affinity, and by the quota of its container.

Kubernetes and ``docker run --cpus`` limit a container by a quota of its control group; it still sees all cores of the host.
Imports the standard library only.
"""

from __future__ import annotations

import math
import os
from pathlib import Path

CGROUP = Path("/sys/fs/cgroup")


def usable_cores(cgroup: Path = CGROUP) -> int:
    """Return the number of cores of this process's affinity, or of its control group's quota where that is less."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = cpu_quota(cgroup)
    return cores if quota is None else max(1, min(cores, math.ceil(quota)))


def cpu_quota(cgroup: Path = CGROUP) -> float | None:
    """Return the quota of a control group in cores, of its second version or its first; None without one."""
    limit = _words(cgroup / "cpu.max") or [
        *_words(cgroup / "cpu" / "cpu.cfs_quota_us"),
        *_words(cgroup / "cpu" / "cpu.cfs_period_us"),
    ]
    if len(limit) != 2 or not all(word.isdigit() for word in limit) or limit[1] == "0":
        return None  # "max", -1, or no such file
    return int(limit[0]) / int(limit[1])


def _words(file: Path) -> list[str]:
    try:
        return file.read_text(encoding="ascii").split()
    except OSError:
        return []
