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

from cluster.run import inventory
from cluster.run import manifest as manifests
from cluster.run.inventory import DIGEST, DONE, FILES, read_json, verify_run
from cluster.run.manifest import Manifest
from cluster.run.resume import changes, config_digest, differences, may_change
from search.errors import UserError
from search.storage.files import publish_directory, write_text
from search.storage.lock import ProcessLock
from search.storage.object_store import ObjectStore

CONFIG, MANIFEST, LOCK = "config.yaml", "manifest.json", "lock"
INPUTS_FILE = "inputs.json"
MANIFEST_LOCK = threading.Lock()  # held while a thread of this process reads, changes and writes the manifest
UNFINISHED_ENTRIES = {CONFIG, LOCK, "logs"}  # left by a run that was killed while it was created


@dataclass(frozen=True, slots=True)
class Stage:
    """An output directory. It is written as ``NAME.partial`` and renamed to ``NAME`` when it is complete.

    ``done.json`` then holds its facts, and the size and digest of every file (``inventory``). ``store``: of a run in an
    object store, which gets the files when the stage is complete.
    """

    path: Path
    store: ObjectStore | None = None

    @property
    def name(self) -> str:
        return self.path.name

    @property
    def partial(self) -> Path:
        return self.path.with_name(f"{self.path.name}{inventory.PARTIAL}")

    @property
    def is_done(self) -> bool:
        return (self.path / DONE).exists()

    def facts(self) -> dict[str, Any]:
        """Return the facts given to ``finish``, with ``seconds`` and ``finished``; empty while the stage is not done.

        Raises UserError if ``done.json`` is damaged.
        """
        record = inventory.read_done(self.path) if self.is_done else {}
        return {name: value for name, value in record.items() if name not in (FILES, DIGEST)}

    def begin(self, *, keep: bool = False) -> Path:
        """Return the directory to write into. Files that a killed run left there stay if ``keep``, else are removed."""
        if self.partial.exists() and not keep:
            shutil.rmtree(self.partial)
        if self.store is not None and not keep:
            self.store.remove(self.partial)
        self.partial.mkdir(parents=True, exist_ok=True)
        return self.partial

    def finish(self, facts: Mapping[str, Any] | None = None) -> Path:
        """Mark the partial directory as complete, rename it to ``path`` and return ``path``."""
        record = {**(facts or {}), "finished": datetime.now(UTC).isoformat(timespec="seconds")}
        record = json.loads(json.dumps({**record, FILES: inventory.list_files(self.partial)}))  # as it is read again
        write_text(self.partial / DONE, json.dumps(inventory.sealed(record), indent=1, sort_keys=True) + "\n")
        publish_directory(self.partial, self.path)
        if self.store is not None:
            self.store.publish(self.partial, self.path, DONE)
        return self.path

    @contextmanager
    def writing(self, *, keep: bool = False) -> Iterator[StageWriter]:
        """Begin the stage, yield its writer and finish it. An exception leaves the stage unfinished.

        With ``keep``, ``seconds`` is summed over all starts.
        """
        writer = StageWriter(self.begin(keep=keep), {})
        clock = writer.directory / "seconds"
        before = _read_seconds(clock)
        start = monotonic()
        try:
            yield writer
        except BaseException:
            write_text(clock, f"{before + monotonic() - start:.3f}")
            raise
        writer.facts.setdefault("seconds", round(before + monotonic() - start, 3))
        clock.unlink(missing_ok=True)
        self.finish(writer.facts)


def _read_seconds(clock: Path) -> float:
    """Return the seconds of earlier starts, 0 without a file. Raises UserError if it is damaged."""
    try:
        return float(clock.read_text()) if clock.exists() else 0.0
    except ValueError as error:
        raise UserError(f"{clock} is damaged: a number of seconds is needed; remove it to count from 0") from error


@dataclass(frozen=True, slots=True)
class StageWriter:
    """An open stage. Write files into ``directory`` and results (JSON values) into ``facts``."""

    directory: Path
    facts: dict[str, Any]


@dataclass(frozen=True, slots=True)
class RunDir:
    """An open run directory, locked by this process. ``store``: of a run in an object store, whose mirror ``root`` is."""

    root: Path
    store: ObjectStore | None = None

    def stage(self, name: str) -> Stage:
        """Return the stage ``name``, for example "r1/search", under ``rounds/``."""
        return Stage(self.root / "rounds" / name, self.store)

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
        if self.store is not None:
            self.store.upload(self.root / MANIFEST)


def check_run_dir(root: Path, config: Mapping[str, Any]) -> bool:
    """Return True if the run at ``root`` can continue with ``config``, False if it has to be created.

    Values that ``may_change`` may differ. Raises UserError if ``root`` is no run directory, one of another config or schema
    version, or its config or manifest is damaged. Writes nothing.
    """
    if not root.exists():
        return False
    if not root.is_dir():
        raise UserError(f"{root} is a file: a run directory is needed; choose another --name or --run-dir")
    if not (root / MANIFEST).exists():
        names = (entry.name for entry in root.iterdir())
        foreign = sorted(name for name in names if name not in UNFINISHED_ENTRIES and not name.endswith(".tmp"))
        if foreign:
            raise UserError(
                f"{root} is not a RayStar run directory (it holds {foreign[0]}, but no {MANIFEST}): choose another --name"
            )
        return False
    manifest = manifests.read_manifest(root / MANIFEST)
    manifest.check(root)
    stored = _read_config(root / CONFIG)
    refused = [text for path, text in changes(stored, config) if not may_change(path)]
    if config_digest(stored) != manifest.config_digest:
        named = f" (to the given config: {'; '.join(refused)})" if refused else ""
        raise UserError(f"{root / CONFIG} is damaged: it was changed after the run was started{named}; restore it")
    if refused:
        raise UserError(
            f"{root} was started with another config: {'; '.join(refused)}. "
            "Choose another --name, or give the values it was started with"
        )
    return True


def _read_config(file: Path) -> dict[str, Any]:
    """Return the config that the run was started with. Raises UserError if the file is damaged."""
    try:
        stored = yaml.safe_load(file.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise UserError(f"{file} is missing: restore it, or choose another --name") from error
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        reason = " ".join(str(error).split())[:120]
        raise UserError(f"{file} is damaged: not YAML ({reason}); restore it") from error
    if not isinstance(stored, dict):
        raise UserError(f"{file} is damaged: it holds no config; restore it")
    return stored


@contextmanager
def open_run(
    root: Path,
    config: Mapping[str, Any],
    *,
    seed: int,
    command: str,
    unreachable: Mapping[str, str] | None = None,
    models: Mapping[str, Mapping[str, str | None]] | None = None,
    store: ObjectStore | None = None,
) -> Iterator[RunDir]:
    """Create or continue ``root`` under a lock that ends with the block. ``config``: resolved, as plain data.

    ``unreachable``: evaluation sets that are left out because they cannot be reached, with the reason. They must be those of
    the run's first start, since training problems are compared with all the others.
    ``models``: what the manifest keeps of each (``Manifest``).
    ``store``: the object store of which ``root`` is an open mirror (``cluster.run.stored_run``).

    The files of finished stages are verified first. Values that may change replace the stored ones; the manifest keeps
    what changed. Raises UserError, before anything is written, as ``check_run_dir`` and ``verify_run`` do.
    """
    exists = check_run_dir(root, config)
    root.mkdir(parents=True, exist_ok=True)
    with ProcessLock(root / LOCK, f"{root} is in use"):
        (root / "logs").mkdir(exist_ok=True)
        if exists or check_run_dir(root, config):
            verify_run(root, weights=store is None)
            manifest = manifests.read_manifest(root / MANIFEST)
            _check_unreachable(root, manifest.unreachable, unreachable or {})
            changed = list(differences(_read_config(root / CONFIG), config))
            if changed:
                _write_config(root, config)
        else:
            changed = []
            _write_config(root, config)
            manifest = manifests.new_manifest(seed).with_fields(
                {"config_digest": config_digest(config), "unreachable": dict(unreachable or {})}
            )
        manifest = manifest.with_fields({"models": {**manifest.models, **(models or {})}})
        write_text(root / MANIFEST, manifest.with_start(command, changed).dump())
        if store is not None:
            store.push(root, [root / CONFIG, root / MANIFEST])
        yield RunDir(root, store)


def _check_unreachable(root: Path, before: Mapping[str, str], now: Mapping[str, str]) -> None:
    """Raise UserError if an evaluation set was left out at the run's first start and is not now, or the other way round."""
    for name in sorted(before.keys() ^ now.keys()):
        left_out = "can be reached now, but was left out" if name in before else "cannot be reached now, but was read"
        raise UserError(
            f"problems.evaluation.{name} {left_out} when {root} was begun, and training problems were chosen accordingly: "
            "choose another --name, or resume when it is as it was"
        )


def _write_config(root: Path, config: Mapping[str, Any]) -> None:
    write_text(root / CONFIG, yaml.safe_dump(dict(config), sort_keys=False, allow_unicode=True))


def check_inputs(stage: Stage, inputs: Mapping[str, Any]) -> None:
    """Raise UserError if the stage, done or begun, was made from other inputs. Writes nothing."""
    for directory in (stage.path, stage.partial):
        file = directory / INPUTS_FILE
        if not file.exists():
            continue
        stored = read_json(file, f"restore it, or remove {directory} to have it made again")
        changed = list(differences(stored, dict(inputs)))
        if changed:
            raise UserError(
                f"{stage.path} was made from something else: {'; '.join(changed)}. "
                "Choose another --name, or give what it was made from"
            )


def write_inputs(directory: Path, inputs: Mapping[str, Any]) -> None:
    """Record a stage's inputs in its directory. Call it before the stage writes anything else."""
    write_text(directory / INPUTS_FILE, json.dumps(inputs, indent=1) + "\n")
