"""Sampling settings that a model's generation_config.json recommends."""

from __future__ import annotations

from pathlib import Path

from search.serialization import read_json_object

GENERATION_CONFIG = "generation_config.json"
SETTINGS = ("temperature", "top_p", "top_k")


def recommended_sampling(directory: Path) -> dict[str, float]:
    """Return temperature, top_p and top_k as far as the directory's generation_config.json says them.

    A config that recommends greedy decoding (do_sample false) recommends none. Raises UserError if the file is no JSON.
    """
    config = read_json_object(directory / GENERATION_CONFIG)
    if config.get("do_sample") is False:
        return {}
    values = {name: config.get(name) for name in SETTINGS}
    return {
        name: value for name, value in values.items() if isinstance(value, int | float) and not isinstance(value, bool)
    }
