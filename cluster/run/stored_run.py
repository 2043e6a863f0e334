"""Open a run in an object store: its lease, its mirror on this machine, and what is uploaded besides finished stages.

    command line   prepare_mirror: the run's config and manifest come into the mirror, for the checks before a start
    start          open_mirror: take the lease, make the mirror equal to the store
    run            RunDir and Stage upload config, manifest and finished stages (directory.py), search workers their trees
    end            open_mirror: upload the log and the reports, give the lease back

The store decides: what was removed there is removed from the mirror. One thing is not in the store and is kept: a stage
that this machine had finished when its upload was interrupted.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import uuid4

from cluster.run.directory import CONFIG, LOCK, MANIFEST
from cluster.run.inventory import DONE, PARTIAL, is_weights
from search.concurrency import run_in_background
from search.errors import UserError
from search.storage.object_store import (
    PUBLISHING,
    SCRATCH_VARIABLE,
    STORE_VARIABLES,
    URL_VARIABLE,
    ObjectStore,
    is_url,
    open_store,
    scratch_directory,
)
from train.trainer.job import CHECKPOINTS

LEASE = "lease.json"  # object that says who runs the run; never in the mirror
LEASE_S = 300.0  # a lease that was not renewed for so long belongs to a dead process
CONTEST_S = 1.0  # longest time between the looks of two processes at a free lease and their writing
RENEW_S = 60.0  # seconds between two renewals, which upload the log too
COPIES = "copies"  # directory of the mirrors of what is only read


def find_run(place: str | Path) -> tuple[Path, ObjectStore | None]:
    """Return a run's directory; for a URL the mirror of its object store, with config and manifest, and the store.

    Raises UserError.
    """
    if not is_url(str(place)):
        return Path(place).expanduser().absolute(), None
    store = open_store(str(place))
    prepare_mirror(store)
    return store.mirror, store


def local_copy(place: str | Path, *, weights: bool = False) -> tuple[Path, ObjectStore | None]:
    """Return the path of a run or of a directory of it, to be read; of a URL a copy of what is there now, and the store.

    ``weights``: of models, too. Raises UserError for a URL of another scheme, or without an object below it.
    """
    if not is_url(str(place)):
        return Path(place), None
    store = open_store(str(place), COPIES)
    objects = store.entries(store.mirror)
    if not objects:
        raise UserError(f"{store} holds nothing: a run directory, or a directory of one, is needed")
    for file in list(store.mirror.rglob("*")) if store.mirror.exists() else ():
        if file.is_file() and file not in objects:
            file.unlink(missing_ok=True)
    store.pull(store.mirror, lambda file: _is_mirrored(file) or (weights and is_weights(file)))
    return store.mirror, store


def prepare_mirror(store: ObjectStore) -> None:
    """Bring the run's config and manifest into the mirror. Raises UserError if another process runs it, or for the store.

    A mirror of another run, or of one that was removed from the store, is emptied.
    """
    check_lease(store)
    manifest, copy = store.read_text(store.mirror / MANIFEST), store.mirror / MANIFEST
    if copy.exists() and (manifest is None or _created(manifest) != _created(copy.read_text(encoding="utf-8"))):
        shutil.rmtree(store.mirror)
    for name in (CONFIG, MANIFEST) if manifest is not None else ():
        store.download(store.mirror / name)


@contextmanager
def open_mirror(store: ObjectStore | None) -> Iterator[None]:
    """Hold a run's lease during the block, with the mirror equal to the store at its begin. Without a store do nothing."""
    if store is None:
        yield
        return
    with held_lease(store):
        finish_uploads(store)
        drop_removed(store)
        store.pull(store.mirror, _is_mirrored)
        try:
            yield
        finally:
            store.push(store.mirror, _loose_files(store.mirror))


@contextmanager
def named_in_environment(store: ObjectStore | None) -> Iterator[None]:
    """Tell all processes of the run its store, by environment variables that are set during the block."""
    if store is None:
        yield
        return
    before = {name: os.environ.get(name) for name in STORE_VARIABLES}
    os.environ.update({URL_VARIABLE: store.url, SCRATCH_VARIABLE: str(scratch_directory())})
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name, None)
            os.environ.update({name: value} if value is not None else {})


def finish_uploads(store: ObjectStore) -> None:
    """Finish or undo what an interrupted upload of a stage left in the store."""
    objects = set(store.entries(store.mirror))
    for partial in {directory for file in objects for directory in file.parents if directory.name.endswith(PARTIAL)}:
        stage = partial.with_name(partial.name.removesuffix(PARTIAL))
        if stage / DONE in objects:
            store.remove(partial)
        elif (stage / DONE).exists():  # complete in the mirror
            store.publish(partial, stage, DONE)
        elif any(file.is_relative_to(stage) for file in objects):
            store.remove(stage)


def drop_removed(store: ObjectStore) -> None:
    """Remove finished stages from the mirror that the store has not, and unfinished ones that it has finished."""
    objects = set(store.entries(store.mirror))
    rounds = store.mirror / "rounds"
    for done in sorted(rounds.rglob(DONE)) if rounds.exists() else ():
        if done not in objects:
            shutil.rmtree(done.parent)
    for file in objects:
        if file.name == DONE:
            shutil.rmtree(file.parent.with_name(f"{file.parent.name}{PARTIAL}"), ignore_errors=True)


def check_lease(store: ObjectStore, owner: str | None = None) -> None:
    """Raise UserError if another process than ``owner`` holds the run's lease."""
    text = store.read_text(store.mirror / LEASE)
    try:
        lease = json.loads(text or "{}")
        holder, age = f"process {lease['pid']} on {lease['host']}", time.time() - lease["time"]
    except (ValueError, KeyError, TypeError):
        return  # there is none, or none that can be read
    if lease.get("id") != owner and age < LEASE_S:
        raise UserError(f"{store} is in use by {holder}: end it first; if it was killed, wait {LEASE_S - age:.0f} s")


@contextmanager
def held_lease(store: ObjectStore) -> Iterator[None]:
    """Hold the run's lease during the block, renewed by a thread. Raises UserError if another process holds it."""
    identity = uuid4().hex

    def write() -> None:
        lease = {"id": identity, "host": platform.node(), "pid": os.getpid(), "time": time.time()}
        store.write_text(store.mirror / LEASE, json.dumps(lease))

    def renew(stop: threading.Event) -> None:
        while not stop.wait(RENEW_S):
            with suppress(UserError):  # an outage of the store: the next renewal, or an upload of the run, will tell
                write()
                store.push(store.mirror / "logs")

    check_lease(store)
    write()
    time.sleep(CONTEST_S)
    check_lease(store, identity)  # of two processes that began at once the one that wrote last holds it
    try:
        with run_in_background("lease", renew):
            yield
    finally:
        store.remove_file(store.mirror / LEASE)


def _created(manifest: str) -> object:
    try:
        return json.loads(manifest).get("created")
    except (ValueError, AttributeError):
        return None


def _is_mirrored(file: Path) -> bool:
    """Return whether the driver needs a copy. Weights are downloaded by who loads them, checkpoints by Ray Train itself."""
    return CHECKPOINTS not in file.parts and file.name not in (LEASE, PUBLISHING) and not is_weights(file)


def _loose_files(mirror: Path) -> list[Path]:
    """Return the files that belong to no stage: reports and the log."""
    top = [file for file in mirror.iterdir() if file.is_file() and not file.name.startswith(".") and file.name != LOCK]
    logs = mirror / "logs"
    return [*top, *(file for file in logs.rglob("*") if file.is_file())] if logs.exists() else top
