"""Name the files of a search's spans, and the facts that every one of them begins with."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

FOLDER = "trace"  # in the directory of a search
PATTERN = "worker-*.jsonl"
SHARE = "raystar.share"  # of the trees, those that are recorded
PLACES = "raystar.policy_places"  # sequences that all policy engines process at once
REWARD_MODEL_PLACES = "raystar.reward_model_places"  # states that all reward models process at once


def new_span_file(directory: Path, worker: int) -> Path:
    """Return a path for the spans of one worker of the search in ``directory``, which no other process ever has."""
    return directory / FOLDER / f"worker-{worker}-{uuid4().hex[:8]}.jsonl"


def span_files(directory: Path) -> Iterator[Path]:
    """Yield the files with spans of the search in ``directory``; none if it was not recorded."""
    yield from sorted((directory / FOLDER).glob(PATTERN))
