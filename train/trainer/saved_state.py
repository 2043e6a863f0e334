"""Check what an unfinished training left behind, before it goes on: tokenised samples and the last checkpoint.

A worker records the sizes of the files that it adds to a checkpoint. A file that is missing, cut short or emptied is
named in one line, before a worker starts.
"""

from __future__ import annotations

import json
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from search.errors import UserError
from search.storage.files import write_text
from train.data.tokenized import TokenizedSet

INDEX = "checkpoint_manager_snapshot.json"  # Ray Train's list of a run's checkpoints
RECORDS = "files-*.json"


def record_files(directory: Path, rank: int) -> None:
    """Write the sizes of a worker's part of a checkpoint into it."""
    sizes = {str(path.relative_to(directory)): path.stat().st_size for path in directory.rglob("*") if path.is_file()}
    write_text(directory / f"files-{rank}.json", json.dumps(sizes))


def check_samples(file: Path, samples: TokenizedSet) -> None:
    """Raise UserError unless a file of tokenised samples, if it is there, can be read and holds ``samples``.

    It may hold the reference log-probabilities beside them.
    """
    if not file.exists():
        return
    try:
        saved = TokenizedSet.load(file)
    except (OSError, ValueError, KeyError, EOFError, BadZipFile) as error:
        raise _damaged(file, f"it cannot be read ({error})", file) from error
    same = all(
        np.array_equal(getattr(saved, name), getattr(samples, name))
        for name in ("tokens", "targets", "starts", "labels")
    )
    if not same or len(saved.reference) not in (0, len(samples.starts) - 1):
        raise _damaged(file, "it holds other samples", file)


def check_checkpoint(run: Path) -> None:
    """Raise UserError unless the last checkpoint of a Ray Train run, if there is one, has all files in their sizes."""
    index = run / INDEX
    if not index.exists():
        return
    try:
        latest = json.loads(index.read_text(encoding="utf-8"))["latest_checkpoint_result"]
        name = latest["checkpoint_dir_name"] if latest else None
    except (ValueError, KeyError, TypeError) as error:
        raise _damaged(index, "it is no list of checkpoints", run) from error
    if name is None:
        return
    records = sorted((run / name).glob(RECORDS))
    if not records:
        raise _damaged(run / name, f"it has no {RECORDS}", run)
    for record in records:
        for path, size in _sizes(record, run).items():
            file = run / name / path
            actual = file.stat().st_size if file.is_file() else None
            if actual != size:
                raise _damaged(file, "it is missing" if actual is None else f"it holds {actual} bytes, not {size}", run)


def _sizes(record: Path, run: Path) -> dict[str, int]:
    try:
        return {str(path): int(size) for path, size in json.loads(record.read_text(encoding="utf-8")).items()}
    except (ValueError, AttributeError, TypeError) as error:
        raise _damaged(record, "it is no list of sizes", run) from error


def _damaged(file: Path, reason: str, remove: Path) -> UserError:
    remedy = "have it made again" if file == remove else "train from the beginning"
    return UserError(f"{file} is damaged: {reason}; restore it, or remove {remove} to {remedy}")
