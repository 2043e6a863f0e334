"""Check this machine as a node of a cluster for ``raystar doctor --node``, before Ray runs on it. Changes nothing.

It checks what ``raystar doctor`` does but the Ray to join, and what a node needs besides: the commands that submitted jobs
run, the token, and the environment that everything inherits from ``ray start``.
"""

from __future__ import annotations

import logging
import os
import shutil
import stat
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from cluster.host import doctor, machine
from cluster.host.doctor import Check, Level, ok, problem, warning
from cluster.host.joining import AUTH_MODE
from cluster.host.tokens import PATH_VARIABLE

COMMANDS = ("ray", "raystar")
TOKEN = "RAY_AUTH_TOKEN"
HIDES_GPUS, THREADS = "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "OMP_NUM_THREADS"
NAMES = f"{doctor.NAMES.removesuffix(', Ray cluster')}, commands, token, environment"


def main(dry_run: bool = False) -> int:
    """Print the checks. Return 1 if one is a problem, else 0. ``dry_run`` only prints their names."""
    if dry_run:
        print(f"raystar doctor --node checks: {NAMES}")
        return 0
    logging.disable(logging.WARNING)  # packages warn when imported; that is not part of the answer
    checks = run_checks(os.environ)
    doctor.print_checks(checks)
    return int(any(check.level is Level.PROBLEM for check in checks))


def run_checks(environment: Mapping[str, str], folder: Path = Path()) -> list[Check]:
    """Run all checks. ``environment``: of the processes that Ray will start. ``folder``: where runs will be written."""
    return [
        *doctor.machine_checks(folder),
        check_commands(shutil.which),
        check_token(environment, Path.home()),
        check_environment(environment, has_gpus=bool(machine.gpus())),
    ]


def check_commands(find: Callable[[str], str | None]) -> Check:
    """Check that ``ray job submit`` would find our commands, and those of this environment. ``find``: as shutil.which."""
    places = {name: find(name) for name in COMMANDS}
    here = Path(sys.prefix) / "bin"
    missing = [name for name, path in places.items() if path is None]
    if missing:
        remedy = f"put {here} on the PATH of the command that starts Ray: submitted jobs inherit it"
        return problem("commands", f"no {' and no '.join(missing)} on the PATH", remedy)
    strangers = [path for path in places.values() if path is not None and Path(path).parent.resolve() != here.resolve()]
    if strangers:
        remedy = f"put {here} first on the PATH: nodes must not run two versions"
        return problem("commands", f"{' and '.join(strangers)}: of another environment", remedy)
    return ok("commands", f"{' and '.join(COMMANDS)} in {here}")


def check_token(environment: Mapping[str, str], home: Path) -> Check:
    """Check that Ray asks for a token on this node, has one, and keeps it from other users."""
    mode = environment.get(AUTH_MODE, "").lower()
    path = Path(environment.get(PATH_VARIABLE) or home / ".ray" / "auth_token")
    if mode != "token":
        state = f"{AUTH_MODE} is {mode or 'not set'}"
        remedy = (
            f"whoever reaches its ports can run code here: set {AUTH_MODE}=token on all nodes alike (docs/cluster.md)"
        )
        return warning("token", state, remedy)
    if environment.get(TOKEN):
        return ok("token", f"in {TOKEN}")
    if not path.is_file():
        remedy = "ray get-auth-token --generate makes one; copy it to all nodes"
        return problem("token", f"{AUTH_MODE} is token and there is none in {path}", remedy)
    if path.stat().st_mode & (stat.S_IRGRP | stat.S_IROTH):
        return warning("token", f"in {path}", f"other users can read it: chmod 600 {path}")
    return ok("token", f"in {path}")


def check_environment(environment: Mapping[str, str], *, has_gpus: bool) -> Check:
    """Check variables that Ray's processes inherit: threads, and what an actor without a GPU sees of the GPUs."""
    lines = []
    if THREADS in environment:
        lines.append(
            f"{THREADS} is {environment[THREADS]}, for engines and training too: unset it where Ray is started"
        )
    if has_gpus and environment.get(HIDES_GPUS) != "1":
        lines.append(f"an actor that asks for no GPU sees all: set {HIDES_GPUS}=1 where Ray is started")
    if lines:
        return warning("environment", "what Ray's processes inherit", "; ".join(lines))
    return ok("environment", "nothing that slows engines or hides GPUs")
