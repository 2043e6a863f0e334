"""Rows of a Hugging Face data set. Knows how such a set is loaded, not what its fields mean."""

from __future__ import annotations

from collections.abc import Iterator

from search.errors import UserError
from search.problem_rows import Row


def hugging_face_rows(name: str, subset: str | None, split: str) -> Iterator[Row]:
    """The rows of ``split``. UserError in one line if there is no such set, subset or split, or it cannot be reached."""
    where = f"{name}[{split}]" if subset is None else f"{name}/{subset}[{split}]"
    try:
        # Imported here: it takes two seconds and half of all runs never touch such a set.
        from datasets import load_dataset
        from datasets.exceptions import DatasetsError
    except ImportError as error:
        raise UserError(f"{where}: the package 'datasets' is not installed; install it or name a JSONL file") from error
    try:
        rows = load_dataset(name, subset, split=split)
    except (OSError, ValueError, RuntimeError, DatasetsError) as error:
        reason = " ".join(str(error).split())[:200]
        raise UserError(
            f"{where}: cannot load this Hugging Face data set: {reason}; check name, subset and split, or name a JSONL file"
        ) from error
    for number, row in enumerate(rows):
        yield Row(f"{where} row {number}", dict(row))
