"""Train in a run that lies in an object store: what the driver, the workers and Ray Train take from it and put into it.

    driver             workers                        store
    upload_inputs ──────────────────────────────────> samples, initial model
                       fetch_inputs <──────────────── samples, initial model
                       Ray Train <──────────────────> checkpoints
                       upload_output (rank 0) ──────> exported model, train.json last
    fetch_output <─────────────────────────────────── exported model

All functions do nothing for a run in a directory.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from search.storage.object_store import ObjectStore, connect, fetch_if_stored, store_of_run
from train.trainer.job import SUMMARY, TrainJob


def store_of(path: Path) -> ObjectStore | None:
    """Return the run's store if ``path`` lies in its mirror."""
    store = store_of_run()
    return store if store is not None and store.contains(path) else None


def checkpoint_storage(directory: Path) -> dict[str, Any]:
    """Return Ray Train's arguments that name the place of checkpoints."""
    store = store_of(directory)
    if store is None:
        return {"storage_path": str(directory)}
    system, path = connect(store.url_of(directory))
    return {"storage_path": path, "storage_filesystem": system}


def upload_inputs(job: TrainJob) -> None:
    """Upload what the workers read."""
    if (store := store_of(job.samples)) is not None:
        store.push(job.work_directory, [job.samples])
    if (store := store_of(job.initial_model)) is not None:
        store.push(job.initial_model)


def fetch_inputs(job: TrainJob) -> None:
    """Download what a worker reads, and make the directory that it writes into."""
    fetch_if_stored(job.initial_model)
    fetch_if_stored(job.samples.parent, job.samples.name)
    job.work_directory.mkdir(parents=True, exist_ok=True)


def upload_output(job: TrainJob) -> None:
    """Upload the exported model."""
    if (store := store_of(job.output)) is not None:
        summary = job.output / SUMMARY
        store.push(job.output, [file for file in job.output.rglob("*") if file.is_file() and file != summary])
        store.upload(summary)


def fetch_output(output: Path) -> None:
    """Download an exported model, weights included; remove one whose upload was interrupted, here and in the store."""
    if (store := store_of(output)) is None:
        return
    entries = store.entries(output)
    if output / SUMMARY in entries:
        store.fetch(output)
    elif entries:
        store.remove(output)
        shutil.rmtree(output, ignore_errors=True)


def remove_stored(directory: Path) -> None:
    """Remove a directory of the run from the store."""
    if (store := store_of(directory)) is not None:
        store.remove(directory)
