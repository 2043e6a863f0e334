"""What this machine is: processor, memory, disk and limits.

Standard library only: it runs before anything is installed. Knows no requirement: cluster/host/requirements.py judges.
"""

from __future__ import annotations

import os
import platform
import resource
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

GIB = 2**30
SHARED_MEMORY = Path("/dev/shm")
CGROUP = Path("/sys/fs/cgroup")
PROC = Path("/proc")
FASTEST_FIRST = ("amx_bf16", "avx512_bf16", "avx512f", "avx2")  # instruction sets as Linux names them


@dataclass(frozen=True, slots=True)
class Machine:
    """Readings of one moment. Sizes are in GiB; ``shared_memory`` is None where there is none.

    ``flags`` are the processor's instruction sets as Linux names them.
    """

    system: str
    architecture: str
    python: tuple[int, int]
    cores: int
    flags: frozenset[str]
    memory: float
    memory_free: float
    shared_memory: float | None
    shared_memory_free: float
    disk_free: float
    open_files: int


def read(folder: Path = Path()) -> Machine:
    """Look at this machine; ``folder`` is where files will be written."""
    total, free = memory()
    shared = shutil.disk_usage(SHARED_MEMORY) if SHARED_MEMORY.is_dir() else None
    return Machine(
        system=platform.system(),
        architecture=platform.machine(),
        python=sys.version_info[:2],
        cores=cores(),
        flags=processor_flags(),
        memory=total,
        memory_free=free,
        shared_memory=shared.total / GIB if shared else None,
        shared_memory_free=shared.free / GIB if shared else 0.0,
        disk_free=shutil.disk_usage(folder.resolve()).free / GIB,
        open_files=resource.getrlimit(resource.RLIMIT_NOFILE)[0],
    )


def cores() -> int:
    """Cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def processor() -> str:
    """The processor's name, and which of the instruction sets that matter here is its best."""
    name = _cpuinfo("model name") or platform.machine()
    flags = processor_flags()
    best = next((flag for flag in FASTEST_FIRST if flag in flags), "neither AVX-512 nor AVX2")
    return f"{name} ({best})"


def processor_flags() -> frozenset[str]:
    """Instruction sets of the first processor; empty where the kernel does not list them."""
    return frozenset((_cpuinfo("flags") or _cpuinfo("Features")).split())


def _cpuinfo(wanted: str) -> str:
    """What the kernel says of the first processor under this name; empty where it says nothing."""
    for line in _text(PROC / "cpuinfo").splitlines():
        name, _, value = line.partition(":")
        if name.strip() == wanted:
            return value.strip()
    return ""


def memory() -> tuple[float, float]:
    """(total, free) memory in GiB that this process may use: the machine's or its control group's, the smaller one."""
    sizes = {}
    for line in _text(PROC / "meminfo").splitlines():
        name, _, value = line.partition(":")
        sizes[name] = int(value.split()[0]) * 1024
    total, free = sizes.get("MemTotal", 0), sizes.get("MemAvailable", 0)
    limit, used = _text(CGROUP / "memory.max").strip(), _text(CGROUP / "memory.current").strip()
    if limit.isdigit() and used.isdigit():
        total, free = min(total, int(limit)), min(free, int(limit) - int(used))
    return total / GIB, free / GIB


def gpus() -> list[str]:
    """One line a GPU as nvidia-smi names it ("name, memory, driver"); empty where there is none."""
    query = ["nvidia-smi", "--query-gpu=name,memory.total,driver_version", "--format=csv,noheader"]
    if shutil.which(query[0]) is None:
        return []
    done = subprocess.run(query, capture_output=True, text=True, check=False, timeout=30)
    return [line.strip() for line in done.stdout.splitlines() if line.strip()] if done.returncode == 0 else []


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
