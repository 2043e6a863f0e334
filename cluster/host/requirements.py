"""What RayStar needs of a machine, and which of it is missing, by name and with the remedy.

Standard library only: set-up runs it before anything is installed (``python -m cluster.host.requirements --set-up``).
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from cluster.host import machine
from cluster.host.machine import Machine
from search.errors import UserError

PYTHONS = ((3, 11), (3, 12))
OPEN_FILES = 1024


@dataclass(frozen=True, slots=True)
class Need:
    """What a command asks of the machine, in GiB free. ``vllm_cpu``: vLLM's CPU kernels will run here.

    The defaults are what Ray with one small policy and one small reward model takes.
    """

    memory: float = 4.0
    shared_memory: float = 0.25
    disk: float = 2.0
    vllm_cpu: bool = True


SET_UP = Need(memory=2.0, shared_memory=0.0, disk=8.0)


def require(need: Need | None = None, folder: Path = Path()) -> None:
    """Raise UserError, one line, where this machine lacks something; ``folder`` is where files will be written."""
    problems = platform_problems(need, folder)
    if problems:
        raise UserError("; ".join(problems))


def platform_problems(need: Need | None = None, folder: Path = Path()) -> list[str]:
    """What this machine lacks, a line each; empty where nothing does."""
    return problems(machine.read(folder), need or Need())


def problems(found: Machine, need: Need) -> list[str]:
    """What ``found`` lacks of ``need``, a line each: what, how much there is, and what would help."""
    lines = [
        kind(found),
        python(found),
        instruction_sets(found) if need.vllm_cpu else None,
        memory(found, need.memory),
        shared_memory(found, need.shared_memory),
        disk(found, need.disk),
    ]
    return [line for line in lines if line is not None]


def kind(found: Machine) -> str | None:
    """Linux on x86-64: the locks hold wheels for nothing else."""
    if found.system == "Linux" and found.architecture in ("x86_64", "AMD64"):
        return None
    this = f"{found.system} on {found.architecture}"
    return f"Linux on x86-64 is needed, this is {this}: use a Linux machine or container"


def python(found: Machine) -> str | None:
    if found.python in PYTHONS:
        return None
    wanted = " or ".join(f"{major}.{minor}" for major, minor in PYTHONS)
    this = f"{found.python[0]}.{found.python[1]}"
    return f"Python {wanted} is needed, this is {this}: install python3.11 with its venv module"


def instruction_sets(found: Machine) -> str | None:
    """vLLM's CPU build has kernels for AVX-512 with bfloat16, AVX-512 and AVX2; below that none loads."""
    if found.architecture not in ("x86_64", "AMD64") or "avx2" in found.flags:
        return None
    return "AVX2 is missing (AVX-512 is better): vLLM's CPU kernels need it: use another processor"


def memory(found: Machine, least: float) -> str | None:
    if found.memory_free >= least:
        return None
    have = f"{found.memory_free:.1f} is free"
    return f"{least:g} GiB of free memory is needed, {have}: end other programs or raise the limit"


def shared_memory(found: Machine, least: float) -> str | None:
    """Ray keeps its object store there, vLLM its message queues."""
    if least <= 0 or found.shared_memory_free >= least:
        return None
    have = "there is none" if found.shared_memory is None else f"{found.shared_memory_free:.2f} is free"
    return f"{least:g} GiB of shared memory (/dev/shm) is needed, {have}: in a container start it with --shm-size=2g"


def disk(found: Machine, least: float) -> str | None:
    if found.disk_free >= least:
        return None
    return f"{least:g} GiB of free disk is needed here, {found.disk_free:.1f} is free: make room or work elsewhere"


def main(argv: list[str]) -> int:
    """Print what is missing, a line each; 2 if anything is. ``--set-up`` asks for what an installation takes."""
    missing = platform_problems(SET_UP if "--set-up" in argv else Need())
    for line in missing:
        print(f"platform: {line}", file=sys.stderr)
    return 2 if missing else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
