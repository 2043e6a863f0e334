"""The run directory ``runs/NAME``: who may open it, and stages that are complete or absent.

Knows files and names; what a stage computes is the business of whoever writes it.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic
from typing import IO, Any

import yaml

from cluster.run import manifest as manifests
from cluster.run.manifest import Manifest
from search.errors import UserError
from search.storage.files import _sync, write_atomic

CONFIG, MANIFEST, LOCK, DONE = "config.yaml", "manifest.json", "lock", "done.json"
MANIFEST_LOCK = threading.Lock()  # read, change, write: one thread of this process at a time
BEGUN = {CONFIG, LOCK, "logs"}  # what a run killed while it was being created may have left


@dataclass(frozen=True, slots=True)
class Stage:
    """One output directory. It is written beside its place, as ``NAME.partial``, and renamed when it is complete."""

    path: Path

    @property
    def name(self) -> str:
        return self.path.name

    @property
    def partial(self) -> Path:
        return self.path.with_name(f"{self.path.name}.partial")

    @property
    def done(self) -> bool:
        return (self.path / DONE).exists()

    def facts(self) -> dict[str, Any]:
        """What ``finish`` was told, with ``seconds`` and ``finished``; empty while the stage is not done."""
        return json.loads((self.path / DONE).read_text(encoding="utf-8")) if self.done else {}

    def begin(self, *, keep: bool = False) -> Path:
        """The directory to write into. ``keep`` goes on with what a killed run left there, which else is removed."""
        if self.partial.exists() and not keep:
            shutil.rmtree(self.partial)
        self.partial.mkdir(parents=True, exist_ok=True)
        return self.partial

    def finish(self, facts: Mapping[str, Any] | None = None) -> Path:
        """Mark the partial directory as complete and move it to its place; returns ``path``."""
        record = {**(facts or {}), "finished": datetime.now(UTC).isoformat(timespec="seconds")}
        write_atomic(self.partial / DONE, json.dumps(record, indent=1, sort_keys=True) + "\n")
        self.partial.replace(self.path)
        _sync(self.path.parent)
        return self.path

    @contextmanager
    def writing(self, *, keep: bool = False) -> Iterator[StageWriter]:
        """Begin, let the caller write and collect facts, and finish; an exception leaves the stage unfinished.

        ``seconds`` adds up over the starts of a kept stage.
        """
        writer = StageWriter(self.begin(keep=keep), {})
        clock = writer.directory / "seconds"
        before = float(clock.read_text()) if clock.exists() else 0.0
        start = monotonic()
        try:
            yield writer
        except BaseException:
            write_atomic(clock, f"{before + monotonic() - start:.3f}")
            raise
        writer.facts.setdefault("seconds", round(before + monotonic() - start, 3))
        clock.unlink(missing_ok=True)
        self.finish(writer.facts)


@dataclass(frozen=True, slots=True)
class StageWriter:
    """An open stage: write files into ``directory`` and numbers worth keeping into ``facts`` (JSON values)."""

    directory: Path
    facts: dict[str, Any]


@dataclass(frozen=True, slots=True)
class RunDir:
    """An opened run directory, locked by this process."""

    root: Path

    def stage(self, name: str) -> Stage:
        """The stage ``name``, for example "r1/search", under ``rounds/``."""
        return Stage(self.root / "rounds" / name)

    @property
    def logs(self) -> Path:
        return self.root / "logs"

    @property
    def manifest(self) -> Manifest:
        return manifests.load(self.root / MANIFEST)

    def note(self, **fields: Any) -> None:
        """Change fields of the manifest, for example ``note(sandbox="landlock+seccomp")``. From any thread."""
        with MANIFEST_LOCK:
            self._save(self.manifest.with_fields(fields))

    def add_lineage(self, **entry: Any) -> None:
        """Record where a model came from; an entry of the same role, round and version is replaced. From any thread."""
        with MANIFEST_LOCK:
            self._save(self.manifest.with_lineage(entry))

    def _save(self, manifest: Manifest) -> None:
        write_atomic(self.root / MANIFEST, manifest.dump())


def check(root: Path, config: Mapping[str, Any]) -> bool:
    """Whether ``root`` may be opened with ``config``: True to continue it, False to create it, and UserError else.

    Writes nothing.
    """
    if not root.exists():
        return False
    if not root.is_dir():
        raise UserError(f"{root} is a file: a run directory is needed; choose another --name or --run-dir")
    if not (root / MANIFEST).exists():
        strange = sorted(
            entry.name for entry in root.iterdir() if entry.name not in BEGUN and not entry.name.endswith(".tmp")
        )
        if strange:
            raise UserError(f"{root} is not a RayStar run directory (it holds {strange[0]}): choose another --name")
        return False
    manifests.load(root / MANIFEST).check(root)
    stored = yaml.safe_load((root / CONFIG).read_text(encoding="utf-8"))
    changes = list(differences(stored, config))
    if changes:
        raise UserError(
            f"{root} was started with another config: {'; '.join(changes)}. "
            "Choose another --name, or give the values it was started with"
        )
    return True


@contextmanager
def open_run(root: Path, config: Mapping[str, Any], *, seed: int, command: str) -> Iterator[RunDir]:
    """Create or continue ``root`` under a lock that ends with the block. ``config`` is resolved, as plain data."""
    known = check(root, config)
    root.mkdir(parents=True, exist_ok=True)
    with _locked(root / LOCK, root):
        (root / "logs").mkdir(exist_ok=True)
        if known or check(root, config):
            manifest = manifests.load(root / MANIFEST)
        else:
            text = yaml.safe_dump(dict(config), sort_keys=False, allow_unicode=True)
            write_atomic(root / CONFIG, text)
            manifest = manifests.create(seed)
        write_atomic(root / MANIFEST, manifest.with_start(command).dump())
        yield RunDir(root)


def differences(old: Any, new: Any, at: str = "") -> Iterator[str]:
    """Every field in which two trees of plain data differ, as "search.rollouts 16 -> 32"."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key in [*old, *(key for key in new if key not in old)]:
            yield from differences(old.get(key), new.get(key), f"{at}.{key}" if at else str(key))
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for index, (left, right) in enumerate(zip(old, new, strict=True)):
            yield from differences(left, right, f"{at}.{index}")
    elif isinstance(old, list) and isinstance(new, list) and any(isinstance(item, dict) for item in old + new):
        yield f"{at} has {len(old)} -> {len(new)} entries"
    elif old != new:
        yield f"{at} {_short(old)} -> {_short(new)}"


@contextmanager
def _locked(path: Path, root: Path) -> Iterator[IO[str]]:
    with path.open("a+", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            file.seek(0)
            raise UserError(
                f"{root} is in use by process {file.read().strip() or '?'}: wait for it or end it"
            ) from error
        file.truncate(0)
        file.write(f"{os.getpid()} on {os.uname().nodename}")
        file.flush()
        yield file


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 60 else f"{text[:57]}..."


INPUTS_FILE = "given.json"


def check_inputs(stage: Stage, given: Mapping[str, Any]) -> None:
    """Raise UserError where the stage, done or begun, was made from something else. Writes nothing."""
    for directory in (stage.path, stage.partial):
        file = directory / INPUTS_FILE
        changes = list(differences(json.loads(file.read_text(encoding="utf-8")), dict(given))) if file.exists() else []
        if changes:
            raise UserError(
                f"{stage.path} was made from something else: {'; '.join(changes)}. "
                "Choose another --name, or give what it was made from"
            )


def write_inputs(directory: Path, given: Mapping[str, Any]) -> None:
    """Keep what a stage is made from; into its directory, before anything else."""
    write_atomic(directory / INPUTS_FILE, json.dumps(given, indent=1) + "\n")
