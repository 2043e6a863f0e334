"""What a run does with a reward model's kind: writes it into the directory, and lets a search squash scores by it.

Reads and writes ``config.json``; loads no model.
"""

from __future__ import annotations

import json
from pathlib import Path

from cluster.run_dir import write_atomic
from search.config import SearchConfig
from search.data import ModelRef
from search.reward_models import HEADS, JudgeKind, kind_of, unit


def call_verifier(directory: Path) -> None:
    """Have a language model that was trained to judge say so in its directory: by the name of its one label."""
    file = directory / "config.json"
    name = next(names for names, kind in HEADS.items() if kind is JudgeKind.DPO)[0]
    described = json.loads(file.read_text(encoding="utf-8"))
    write_atomic(file, json.dumps({**described, "id2label": {"0": name}, "label2id": {name: 0}}, indent=2) + "\n")


def in_units(search: SearchConfig, ppm: ModelRef | None) -> SearchConfig:
    """The search with ``squash_scale`` in the units of the reward model's kind (search.reward_models.unit)."""
    factor = unit(kind_of(Path(ppm.path))) if ppm is not None else 1.0
    return search.model_copy(update={"squash_scale": factor * search.squash_scale})
