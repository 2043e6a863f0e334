"""Read from a model directory how many tokens its context holds, as vLLM derives it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from search.serialization import read_json_object

LENGTH_KEYS = (
    "max_position_embeddings",
    "n_positions",
    "max_seq_len",
    "seq_length",
    "max_sequence_length",
    "max_seq_length",
    "seq_len",
)
# Kinds of rotary scaling whose factor ``max_position_embeddings`` contains already, or that have none.
FACTOR_INCLUDED = ("default", "su", "longrope", "llama3", "yarn", "deepseek_yarn", "deepseek_llama_scaling", "mrope")


def context_limit(directory: Path) -> int | None:
    """Return the most tokens of prompt and continuation together, or None if the directory does not say it.

    It is the smallest length in config.json, times the factor of rotary scaling, and at most the tokenizer's
    ``model_max_length``. Raises UserError if a file is not JSON.
    """
    config = read_json_object(directory / "config.json")
    nested = config.get("text_config")
    config = {**config, **nested} if isinstance(nested, dict) else config
    lengths = [config[key] for key in LENGTH_KEYS if isinstance(config.get(key), int)]
    limit = config.get("model_max_length") or (min(lengths) if lengths else None)
    if limit is None:
        return None
    if "gemma3" not in str(config.get("model_type", "")):
        limit *= max(_scaling_factors(config), default=1.0)
    of_tokenizer = read_json_object(directory / "tokenizer_config.json").get("model_max_length")
    return int(min(limit, of_tokenizer) if isinstance(of_tokenizer, int | float) else limit)


def _scaling_factors(config: Mapping[str, Any]) -> Iterator[float]:
    """Yield the factors by which rotary scaling lengthens the context; some models have one for each kind of layer."""
    for key in ("rope_scaling", "rope_parameters"):
        scaling = config.get(key)
        if not isinstance(scaling, dict):
            continue
        for entry in (scaling, *scaling.values()):
            if isinstance(entry, dict) and entry.get("rope_type", entry.get("type", "default")) not in FACTOR_INCLUDED:
                yield float(entry.get("factor") or 1.0)
