"""What a reward model's directory says of itself: the names of its outputs, its kind, and how a search squashes it.

Reads ``config.json`` and loads no model.
"""

from __future__ import annotations

import json
from pathlib import Path

from search.config import SearchConfig
from search.judging import HEADS, JudgeKind, unit
from search.types import ModelRef


def kind_of(directory: Path) -> JudgeKind | None:
    """What the reward model was trained for, as the names of its outputs say; None where they say nothing."""
    file = directory / "config.json"
    names = json.loads(file.read_text(encoding="utf-8")).get("id2label") if file.is_file() else None
    return HEADS.get(tuple(str(names[key]) for key in sorted(names, key=int))) if names else None


def in_units(search: SearchConfig, ppm: ModelRef | None) -> SearchConfig:
    """The search with ``squash_scale`` in the units of the reward model's kind (search.judging.unit)."""
    factor = unit(kind_of(Path(ppm.path))) if ppm is not None else 1.0
    return search.model_copy(update={"squash_scale": factor * search.squash_scale})
