"""Write generation_config.json: what ends a solution, as token ids, for transformers and vLLM alike."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from search.data import Problem, State, Until
from search.formats.base import StepFormat
from search.serialization import read_json_object
from search.storage.files import write_text
from train.data.model_tokenizer import ModelTokenizer

GENERATION_CONFIG = "generation_config.json"
KEPT = ("bos_token_id", "pad_token_id", "transformers_version")


def stop_texts(step_format: StepFormat) -> tuple[str, ...]:
    """Return the texts at which a search ends a step or a solution, without repeats."""
    state = State(Problem(id="", question="", answer="", source=""))
    texts = [stop for until in Until for stop in step_format.stops(state, until)]
    return tuple(dict.fromkeys([*texts, *([step_format.turn_end] if step_format.turn_end else [])]))


def stop_ids(source: Path, step_format: StepFormat, loaded: ModelTokenizer) -> list[int]:
    """Return the ids that end a solution: the model's end-of-sequence tokens, and stops that are one token each.

    Stops of more than one token are left out: transformers' pipeline refuses stop strings in a generation config.
    """
    stored = read_json_object(source / GENERATION_CONFIG).get("eos_token_id")
    eos = stored if isinstance(stored, list) else [] if stored is None else [stored]
    vocabulary = loaded.tokenizer.get_vocab()
    state = State(Problem(id="", question="", answer="", source=""))
    texts = step_format.stops(state, Until.PAUSE)
    ids = [loaded.end_id, *eos, *(vocabulary[text] for text in texts if text in vocabulary)]
    return list(dict.fromkeys(int(number) for number in ids))


def write_generation_config(source: Path, target: Path, ids: list[int]) -> None:
    """Write the stops into ``target``. The base's sampling is left out: what was measured was drawn without it."""
    stored = read_json_object(source / GENERATION_CONFIG)
    config: dict[str, Any] = {name: stored[name] for name in KEPT if name in stored}
    write_text(target / GENERATION_CONFIG, json.dumps({**config, "eos_token_id": ids}, indent=2) + "\n")
