"""Open the run directory ``runs/NAME`` under a lock, and write stages that are complete or absent."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic
from typing import Any

import yaml

from cluster.run import manifest as manifests
from cluster.run.manifest import Manifest
from search.errors import UserError
from search.storage.files import publish_directory, write_text
from search.storage.lock import ProcessLock

CONFIG, MANIFEST, LOCK, DONE = "config.yaml", "manifest.json", "lock", "done.json"
INPUTS_FILE = "inputs.json"
MANIFEST_LOCK = threading.Lock()  # held while a thread of this process reads, changes and writes the manifest
UNFINISHED_ENTRIES = {CONFIG, LOCK, "logs"}  # left by a run that was killed while it was created


@dataclass(frozen=True, slots=True)
class Stage:
    """An output directory. It is written as ``NAME.partial`` and renamed to ``NAME`` when it is complete."""

    path: Path

    @property
    def name(self) -> str:
        return self.path.name

    @property
    def partial(self) -> Path:
        return self.path.with_name(f"{self.path.name}.partial")

    @property
    def is_done(self) -> bool:
        return (self.path / DONE).exists()

    def facts(self) -> dict[str, Any]:
        """Return the facts given to ``finish``, with ``seconds`` and ``finished``; empty while the stage is not done."""
        return json.loads((self.path / DONE).read_text(encoding="utf-8")) if self.is_done else {}

    def begin(self, *, keep: bool = False) -> Path:
        """Return the directory to write into. Files that a killed run left there stay if ``keep``, else are removed."""
        if self.partial.exists() and not keep:
            shutil.rmtree(self.partial)
        self.partial.mkdir(parents=True, exist_ok=True)
        return self.partial

    def finish(self, facts: Mapping[str, Any] | None = None) -> Path:
        """Mark the partial directory as complete, rename it to ``path`` and return ``path``."""
        record = {**(facts or {}), "finished": datetime.now(UTC).isoformat(timespec="seconds")}
        write_text(self.partial / DONE, json.dumps(record, indent=1, sort_keys=True) + "\n")
        publish_directory(self.partial, self.path)
        return self.path

    @contextmanager
    def writing(self, *, keep: bool = False) -> Iterator[StageWriter]:
        """Begin the stage, yield its writer and finish it. An exception leaves the stage unfinished.

        With ``keep``, ``seconds`` is summed over all starts.
        """
        writer = StageWriter(self.begin(keep=keep), {})
        clock = writer.directory / "seconds"
        before = float(clock.read_text()) if clock.exists() else 0.0
        start = monotonic()
        try:
            yield writer
        except BaseException:
            write_text(clock, f"{before + monotonic() - start:.3f}")
            raise
        writer.facts.setdefault("seconds", round(before + monotonic() - start, 3))
        clock.unlink(missing_ok=True)
        self.finish(writer.facts)


@dataclass(frozen=True, slots=True)
class StageWriter:
    """An open stage. Write files into ``directory`` and results (JSON values) into ``facts``."""

    directory: Path
    facts: dict[str, Any]


@dataclass(frozen=True, slots=True)
class RunDir:
    """An open run directory, locked by this process."""

    root: Path

    def stage(self, name: str) -> Stage:
        """Return the stage ``name``, for example "r1/search", under ``rounds/``."""
        return Stage(self.root / "rounds" / name)

    @property
    def logs(self) -> Path:
        return self.root / "logs"

    @property
    def manifest(self) -> Manifest:
        return manifests.read_manifest(self.root / MANIFEST)

    def update_manifest(self, **fields: Any) -> None:
        """Change fields of the manifest, for example ``update_manifest(sandbox="landlock+seccomp")``. Thread-safe."""
        with MANIFEST_LOCK:
            self._save(self.manifest.with_fields(fields))

    def add_lineage(self, **entry: Any) -> None:
        """Record a model's origin. Replaces an entry of the same role, round and version. Thread-safe."""
        with MANIFEST_LOCK:
            self._save(self.manifest.with_lineage(entry))

    def _save(self, manifest: Manifest) -> None:
        write_text(self.root / MANIFEST, manifest.dump())


def check_run_dir(root: Path, config: Mapping[str, Any]) -> bool:
    """Return True if the run at ``root`` can continue with ``config``, False if it has to be created.

    Raises UserError if ``root`` is no run directory, or one of another config or schema version. Writes nothing.
    """
    if not root.exists():
        return False
    if not root.is_dir():
        raise UserError(f"{root} is a file: a run directory is needed; choose another --name or --run-dir")
    if not (root / MANIFEST).exists():
        names = (entry.name for entry in root.iterdir())
        foreign = sorted(name for name in names if name not in UNFINISHED_ENTRIES and not name.endswith(".tmp"))
        if foreign:
            raise UserError(f"{root} is not a RayStar run directory (it holds {foreign[0]}): choose another --name")
        return False
    manifests.read_manifest(root / MANIFEST).check(root)
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
    """Create or continue ``root`` under a lock that ends with the block. ``config``: resolved, as plain data."""
    exists = check_run_dir(root, config)
    root.mkdir(parents=True, exist_ok=True)
    with ProcessLock(root / LOCK, f"{root} is in use"):
        (root / "logs").mkdir(exist_ok=True)
        if exists or check_run_dir(root, config):
            manifest = manifests.read_manifest(root / MANIFEST)
        else:
            text = yaml.safe_dump(dict(config), sort_keys=False, allow_unicode=True)
            write_text(root / CONFIG, text)
            manifest = manifests.new_manifest(seed)
        write_text(root / MANIFEST, manifest.with_start(command).dump())
        yield RunDir(root)


def differences(old: Any, new: Any, at: str = "") -> Iterator[str]:
    """Yield every field in which two trees of plain data differ, as "search.rollouts 16 -> 32"."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key in [*old, *(key for key in new if key not in old)]:
            yield from differences(old.get(key), new.get(key), f"{at}.{key}" if at else str(key))
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for index, (left, right) in enumerate(zip(old, new, strict=True)):
            yield from differences(left, right, f"{at}.{index}")
    elif isinstance(old, list) and isinstance(new, list) and any(isinstance(item, dict) for item in old + new):
        yield f"{at} has {len(old)} -> {len(new)} entries"
    elif old != new:
        yield f"{at} {_format_value(old)} -> {_format_value(new)}"


def _format_value(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 60 else f"{text[:57]}..."


def check_inputs(stage: Stage, inputs: Mapping[str, Any]) -> None:
    """Raise UserError if the stage, done or begun, was made from other inputs. Writes nothing."""
    for directory in (stage.path, stage.partial):
        file = directory / INPUTS_FILE
        if not file.exists():
            continue
        changes = list(differences(json.loads(file.read_text(encoding="utf-8")), dict(inputs)))
        if changes:
            raise UserError(
                f"{stage.path} was made from something else: {'; '.join(changes)}. "
                "Choose another --name, or give what it was made from"
            )


def write_inputs(directory: Path, inputs: Mapping[str, Any]) -> None:
    """Record a stage's inputs in its directory. Call it before the stage writes anything else."""
    write_text(directory / INPUTS_FILE, json.dumps(inputs, indent=1) + "\n")
