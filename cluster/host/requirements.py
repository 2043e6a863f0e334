"""Check that this machine meets RayStar's requirements, and name what is missing with its remedy.

Imports the standard library only: set-up runs it before anything is installed
(``python -m cluster.host.requirements --set-up``).
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """Free memory, shared memory and disk that a command needs (GiB). ``vllm_cpu``: vLLM's CPU kernels will run here.

    The defaults suffice for Ray with one small policy and one small reward model.
    """

    memory: float = 4.0
    shared_memory: float = 0.25
    disk: float = 2.0
    vllm_cpu: bool = True


SET_UP = Need(memory=2.0, shared_memory=0.0, disk=8.0)


def require(need: Need | None = None, folder: Path = Path()) -> None:
    """Raise UserError, one line, if this machine lacks something. Files will be written to ``folder``."""
    problems = check_this_machine(need, folder)
    if problems:
        raise UserError("; ".join(problems))


def check_this_machine(need: Need | None = None, folder: Path = Path()) -> list[str]:
    """Return one line for each requirement that this machine does not meet."""
    return check_machine(machine.read(folder), need or Need())


def check_machine(host: Machine, need: Need) -> list[str]:
    """Return one line for each requirement that ``host`` does not meet: what, how much there is, and the remedy."""
    lines = [
        platform_problem(host),
        python_problem(host),
        avx_problem(host) if need.vllm_cpu else None,
        memory_problem(host, need.memory),
        shared_memory_problem(host, need.shared_memory),
        disk_problem(host, need.disk),
    ]
    return [line for line in lines if line is not None]


def platform_problem(host: Machine) -> str | None:
    """Require Linux on x86-64: the locks hold wheels for nothing else."""
    if host.system == "Linux" and host.architecture in ("x86_64", "AMD64"):
        return None
    actual = f"{host.system} on {host.architecture}"
    return f"Linux on x86-64 is needed, this is {actual}: use a Linux machine or container"


def python_problem(host: Machine) -> str | None:
    if host.python in PYTHONS:
        return None
    supported = " or ".join(f"{major}.{minor}" for major, minor in PYTHONS)
    actual = f"{host.python[0]}.{host.python[1]}"
    return f"Python {supported} is needed, this is {actual}: install python3.11 with its venv module"


def avx_problem(host: Machine) -> str | None:
    """Require AVX2: vLLM's CPU build has kernels for AVX-512 with bfloat16, AVX-512 and AVX2 only."""
    if host.architecture not in ("x86_64", "AMD64") or "avx2" in host.flags:
        return None
    return "AVX2 is missing (AVX-512 is better): vLLM's CPU kernels need it: use another processor"


def memory_problem(host: Machine, minimum: float) -> str | None:
    if host.memory_free >= minimum:
        return None
    free = f"{host.memory_free:.1f} is free"
    return f"{minimum:g} GiB of free memory is needed, {free}: end other programs or raise the limit"


def shared_memory_problem(host: Machine, minimum: float) -> str | None:
    """Require shared memory for Ray's object store and vLLM's message queues."""
    if minimum <= 0 or host.shared_memory_free >= minimum:
        return None
    free = "there is none" if host.shared_memory is None else f"{host.shared_memory_free:.2f} is free"
    return f"{minimum:g} GiB of shared memory (/dev/shm) is needed, {free}: in a container start it with --shm-size=2g"


def disk_problem(host: Machine, minimum: float) -> str | None:
    if host.disk_free >= minimum:
        return None
    return f"{minimum:g} GiB of free disk is needed here, {host.disk_free:.1f} is free: make room or work elsewhere"


def main(argv: list[str]) -> int:
    """Print one line for each missing requirement. Return 2 if there is one, else 0. ``--set-up``: those of set-up."""
    problems = check_this_machine(SET_UP if "--set-up" in argv else Need())
    for line in problems:
        print(f"platform: {line}", file=sys.stderr)
    return 2 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
