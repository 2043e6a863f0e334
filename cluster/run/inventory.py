"""The files of a finished stage, with sizes and digests: written into ``done.json``, compared when the run is resumed.

A resumed run compares the names and sizes of all files, and the digests of those up to DIGEST_BYTES: records, trees,
JSON and small models, at 1.7 GB/s a second or two for a large run. Larger ones are weights, whose damage is nearly always
a missing or a short file; reading all of them would take minutes, so only ``raystar report --verify`` does.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from search.errors import UserError

DONE = "done.json"
FILES, DIGEST = "files", "digest"  # keys of done.json beside the stage's facts
PARTIAL = ".partial"
WEIGHT_SUFFIXES = (".safetensors", ".bin")
DIGEST_BYTES = 64 << 20
BLOCK = 1 << 20


def list_files(directory: Path) -> dict[str, dict[str, int | str | None]]:
    """Return what is known of every file below a directory but ``done.json``, by relative path."""
    return {str(path.relative_to(directory)): _describe(path) for path in _files(directory)}


def sealed(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return a record of plain data with a digest of itself."""
    return {**record, DIGEST: _digest_of(record)}


def is_intact(record: Mapping[str, Any]) -> bool:
    """Return whether a record has the digest that ``sealed`` gave it."""
    return record.get(DIGEST) == _digest_of({name: value for name, value in record.items() if name != DIGEST})


def read_json(file: Path, remedy: str) -> Any:
    """Return the content of a JSON file. Raises UserError with the ``remedy`` if it is empty, truncated or no JSON."""
    try:
        content = file.read_bytes()
        return json.loads(content)
    except ValueError as error:
        reason = "it is empty" if not content.strip() else f"not JSON ({error})"
        raise UserError(f"{file} is damaged: {reason}; {remedy}") from error


def read_done(stage: Path) -> dict[str, Any]:
    """Return the content of a finished stage's ``done.json``. Raises UserError if it is damaged."""
    record = read_json(stage / DONE, _remedy(stage))
    if not isinstance(record, dict) or FILES not in record or not is_intact(record):
        raise UserError(f"{stage / DONE} is damaged: it was changed after the stage was finished; {_remedy(stage)}")
    return record


def verify_stage(stage: Path, *, full: bool = False, weights: bool = True) -> None:
    """Raise UserError, which names the first damaged file, unless a finished stage's files are those of its ``done.json``.

    ``full`` reads files of any size. ``weights``: False for a mirror of an object store, which has those that were needed.
    """
    recorded = read_done(stage)[FILES]
    for name, entry in recorded.items():
        if not weights and is_weights(Path(name)):
            continue
        if damage := _damage(stage / name, entry, full):
            raise UserError(f"{stage / name} is damaged: {damage}; {_remedy(stage)}")
    for path in _files(stage):
        if str(path.relative_to(stage)) not in recorded:
            raise UserError(f"{path} does not belong to the finished stage {stage}: remove it")


def is_weights(file: Path) -> bool:
    """Return whether a file holds a model's weights."""
    return file.suffix in WEIGHT_SUFFIXES


def verify_run(root: Path, *, full: bool = False, weights: bool = True) -> None:
    """Verify all finished stages of the run at ``root``. Raises UserError for a damaged, emptied or foreign file."""
    if (root / "rounds").exists():
        _verify_below(root / "rounds", full, weights)


def _verify_below(directory: Path, full: bool, weights: bool) -> None:
    if not directory.is_dir():
        raise UserError(f"{directory} is damaged: a directory is needed; restore it")
    entries = sorted(entry for entry in directory.iterdir() if not entry.name.startswith("."))
    names = {entry.name for entry in entries}
    if DONE in names:
        verify_stage(directory, full=full, weights=weights)
        return
    for entry in entries:
        if not entry.is_dir():
            raise UserError(
                f"{directory} is damaged: it holds {entry.name}, but no {DONE}, which every finished stage has; "
                f"restore it, or remove {entry}"
            )
        if entry.name.endswith(PARTIAL):
            if (
                entry.name.removesuffix(PARTIAL) in names
                and (directory / entry.name.removesuffix(PARTIAL) / DONE).exists()
            ):
                raise UserError(f"{entry} stands beside the finished stage of that name: remove it")
        else:
            _verify_below(entry, full, weights)


def _remedy(stage: Path) -> str:
    return f"restore it, or remove {stage} and the stages made from it, to have them made again"


def _files(directory: Path) -> Iterator[Path]:
    """Yield the files that belong to a stage. Hidden ones do not: locks and what a killed process was writing."""
    for folder, folders, names in os.walk(directory):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for path in sorted(Path(folder, name) for name in names if not name.startswith(".")):
            if path.is_file() and path != directory / DONE:
                yield path


def _describe(path: Path) -> dict[str, int | str | None]:
    """Return size, number of lines (of JSON lines) and digest of a file."""
    digest, lines = hashlib.sha256(), 0
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            digest.update(block)
            lines += block.count(b"\n")
    is_lines = path.suffix == ".jsonl"
    return {"bytes": path.stat().st_size, "lines": lines if is_lines else None, "sha256": digest.hexdigest()}


def _damage(path: Path, entry: Mapping[str, Any], full: bool) -> str:
    """Return what is wrong with a file; empty if nothing is."""
    if not path.is_file():
        return "it is missing"
    size, expected = path.stat().st_size, entry["bytes"]
    if size != expected:
        return "it is empty" if not size else f"it holds {size} bytes, {expected} when the stage was finished"
    if (full or size <= DIGEST_BYTES) and _describe(path)["sha256"] != entry["sha256"]:
        return "its content was changed after the stage was finished"
    return ""


def _digest_of(record: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(record, sort_keys=True).encode()).hexdigest()
