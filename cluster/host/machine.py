"""Read this machine's processor, memory, disk and limits.

Imports the standard library only: set-up runs it before anything is installed.
"""

from __future__ import annotations

import platform
import resource
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from actors.usable_cores import usable_cores

GIB = 2**30
SHARED_MEMORY = Path("/dev/shm")
CGROUP = Path("/sys/fs/cgroup")
PROC = Path("/proc")
FASTEST_FIRST = ("amx_bf16", "avx512_bf16", "avx512f", "avx2")  # instruction sets as Linux names them


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """Readings of one moment. Sizes are in GiB; ``shared_memory`` is None if there is none.

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
    """Read this machine. ``folder``: where files will be written, for ``disk_free``."""
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
    """Return the number of cores that this process may use."""
    return usable_cores()


def processor() -> str:
    """Return the processor's name with its fastest instruction set of ``FASTEST_FIRST``."""
    name = _cpuinfo("model name") or platform.machine()
    flags = processor_flags()
    best = next((flag for flag in FASTEST_FIRST if flag in flags), "neither AVX-512 nor AVX2")
    return f"{name} ({best})"


def processor_flags() -> frozenset[str]:
    """Return the instruction sets of the first processor; empty if the kernel does not list them."""
    return frozenset((_cpuinfo("flags") or _cpuinfo("Features")).split())


def _cpuinfo(field: str) -> str:
    """Return a field of the first processor in /proc/cpuinfo; empty if it is absent."""
    for line in _read_text(PROC / "cpuinfo").splitlines():
        name, _, value = line.partition(":")
        if name.strip() == field:
            return value.strip()
    return ""


def memory() -> tuple[float, float]:
    """Return (total, free) memory in GiB for this process: the smaller of the machine's and its control group's."""
    sizes = {}
    for line in _read_text(PROC / "meminfo").splitlines():
        name, _, value = line.partition(":")
        sizes[name] = int(value.split()[0]) * 1024
    total, free = sizes.get("MemTotal", 0), sizes.get("MemAvailable", 0)
    limit, used = _read_text(CGROUP / "memory.max").strip(), _read_text(CGROUP / "memory.current").strip()
    if limit.isdigit() and used.isdigit():
        total, free = min(total, int(limit)), min(free, int(limit) - int(used))
    return total / GIB, free / GIB


def gpus() -> list[str]:
    """Return one line for each GPU as nvidia-smi prints it ("name, memory, driver"); empty without GPUs."""
    query = ["nvidia-smi", "--query-gpu=name,memory.total,driver_version", "--format=csv,noheader"]
    if shutil.which(query[0]) is None:
        return []
    result = subprocess.run(query, capture_output=True, text=True, check=False, timeout=30)
    return [line.strip() for line in result.stdout.splitlines() if line.strip()] if result.returncode == 0 else []


def compute_capabilities() -> list[int]:
    """Return ten times the compute capability of each GPU (80 for 8.0), as nvidia-smi prints it; empty without GPUs."""
    query = ["nvidia-smi", "--query-gpu=compute_cap", "--format=csv,noheader"]
    if shutil.which(query[0]) is None:
        return []
    result = subprocess.run(query, capture_output=True, text=True, check=False, timeout=30)
    lines = result.stdout.split() if result.returncode == 0 else []
    return [int(line.replace(".", "")) for line in lines if line.replace(".", "").isdigit()]


def _read_text(path: Path) -> str:
    """Return the file's text; empty if it cannot be read."""
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
