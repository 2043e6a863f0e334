"""What a reward model's directory says of itself: the names of its outputs, its kind, and how a search squashes it.

Reads ``config.json``, and writes the names; loads no model.
"""

from __future__ import annotations

import json
from pathlib import Path

from cluster.run_dir import write_atomic
from search.config import SearchConfig
from search.judging import HEADS, JudgeKind, unit
from search.types import ModelRef


def kind_of(directory: Path) -> JudgeKind | None:
    """What the reward model was trained for, as the names of its outputs say; None where they say nothing."""
    file = directory / "config.json"
    names = json.loads(file.read_text(encoding="utf-8")).get("id2label") if file.is_file() else None
    return HEADS.get(tuple(str(names[key]) for key in sorted(names, key=int))) if names else None


def call_verifier(directory: Path) -> None:
    """Have a language model that was trained to judge say so in its directory: by the name of its one label."""
    file = directory / "config.json"
    name = next(names for names, kind in HEADS.items() if kind is JudgeKind.DPO)[0]
    described = json.loads(file.read_text(encoding="utf-8"))
    write_atomic(file, json.dumps({**described, "id2label": {"0": name}, "label2id": {name: 0}}, indent=2) + "\n")


def in_units(search: SearchConfig, ppm: ModelRef | None) -> SearchConfig:
    """The search with ``squash_scale`` in the units of the reward model's kind (search.judging.unit)."""
    factor = unit(kind_of(Path(ppm.path))) if ppm is not None else 1.0
    return search.model_copy(update={"squash_scale": factor * search.squash_scale})
