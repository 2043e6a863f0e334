"""Where the solutions that a labelling file gives out are kept."""

from __future__ import annotations

from pathlib import Path


def solutions_file(labelling: Path) -> Path:
    """Beside the file: ``labelling.solutions.jsonl``."""
    return labelling.with_name(f"{labelling.stem}.solutions.jsonl")
