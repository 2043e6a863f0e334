"""Check a model directory without loading it, and take a cheap digest of it."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from pathlib import Path
from typing import Any

from cluster.models.snapshot import BIN_INDEX, SAFETENSORS_INDEX
from search.errors import UserError
from search.serialization import read_json_object
from search.storage.safetensors_headers import count_elements, read_header, read_header_bytes
from search.storage.schema import SCHEMA_KEY, UNVERSIONED, check_schema
from train.trainer import job

CONFIG = "config.json"
WEIGHTS = ("*.safetensors", "*.bin")
TOKENIZERS = ("tokenizer.json", "tokenizer.model", "vocab.json")
# What decides how text becomes tokens and prompts, beside the tokenizer itself.
DIGESTED = (
    *TOKENIZERS,
    CONFIG,
    "tokenizer_config.json",
    "chat_template.jinja",
    "generation_config.json",
    "raystar.json",
)


def check_model(field: str, directory: Path, *, weights: bool = True) -> None:
    """Raise UserError, one line, unless ``directory`` holds a whole Hugging Face model.

    It needs a config.json that names an architecture, a tokenizer, and, with ``weights``, all weight files at their full
    length; an exported one must be of this schema version. ``field``: config field or option that names the directory.
    """
    if not directory.is_dir():
        raise UserError(f"{field}: no model directory {directory}")
    _check_config(field, directory)
    if weights:
        _check_weights(field, directory)
    _check_tokenizer(field, directory)
    facts = read_json_object(directory / job.SUMMARY)
    if "fingerprint" in facts:  # trained and exported by this project
        check_schema(f"{field}: {directory}", facts.get(SCHEMA_KEY, UNVERSIONED), "train the model again")


def read_object(field: str, file: Path) -> dict[str, Any]:
    """Return the JSON object in a file. Raises UserError if it is damaged or no object."""
    try:
        content = json.loads(file.read_bytes())
    except (OSError, ValueError) as error:
        raise UserError(f"{field}: {file} is damaged: {error}; copy it again") from error
    if not isinstance(content, dict):
        raise UserError(f"{field}: {file} is damaged: a JSON object is needed; copy it again")
    return content


def architecture(config: dict[str, Any]) -> str | None:
    """Return the architecture that a config names, such as "Qwen2ForCausalLM"."""
    names = config.get("architectures")
    return str(names[0]) if isinstance(names, list) and names else None


def weight_files(directory: Path) -> list[Path]:
    """Return the safetensors files of a directory, or, where there are none, its .bin files."""
    for pattern in WEIGHTS:
        if files := sorted(directory.glob(pattern)):
            return files
    return []


def saved_weights(directory: Path) -> Counter[str]:
    """Return how many weights the safetensors files of a directory hold, by their type; empty where there are none.

    Quantized weights are counted as they are packed, several in one.
    """
    return count_elements(directory.glob(WEIGHTS[0]))


def header_digest(directory: Path) -> str:
    """Return a digest of config, tokenizer, template, and of the weight files' headers, names and sizes.

    It is cheap: a change of weights that keeps names, shapes and types is not seen.
    """
    digest = hashlib.blake2b(digest_size=16)
    for name in sorted(DIGESTED):
        file = directory / name
        if file.is_file():
            digest.update(f"{name}\0".encode() + hashlib.blake2b(file.read_bytes()).digest())
    for file in weight_files(directory):
        header = read_header_bytes(file) if file.suffix == ".safetensors" else b""
        digest.update(f"{file.name}\0{file.stat().st_size}\0".encode() + hashlib.blake2b(header).digest())
    return digest.hexdigest()


def _check_config(field: str, directory: Path) -> None:
    if (directory / "adapter_config.json").is_file() and not (directory / CONFIG).is_file():
        raise UserError(f"{field}: {directory} holds an adapter without its model: merge it into the model first")
    if not (directory / CONFIG).is_file():
        raise UserError(f"{field}: {directory} is no model directory: it has no config.json")
    config = read_object(field, directory / CONFIG)
    if architecture(config) is None:
        raise UserError(
            f"{field}: {directory / CONFIG} names no architecture (architectures): give a model's own config"
        )
    labels = config.get("id2label") or {}
    if not isinstance(labels, dict) or not all(str(key).isdecimal() for key in labels):
        raise UserError(f"{field}: {directory / CONFIG} is damaged: id2label must map 0, 1 … to names; copy it again")


def _check_tokenizer(field: str, directory: Path) -> None:
    if not any((directory / name).is_file() for name in TOKENIZERS):
        raise UserError(f"{field}: {directory} holds no tokenizer ({', '.join(TOKENIZERS)})")
    for name in ("tokenizer.json", "tokenizer_config.json", "generation_config.json"):
        if (directory / name).is_file():
            read_object(field, directory / name)


def _check_weights(field: str, directory: Path) -> None:
    """Raise UserError if there are no weights, a file of an index is missing, or a file is not whole."""
    files = weight_files(directory)
    if not files:
        raise UserError(f"{field}: {directory} holds no weights ({' or '.join(WEIGHTS)})")
    safetensors = files[0].suffix == ".safetensors"
    index = directory / (SAFETENSORS_INDEX if safetensors else BIN_INDEX)
    if index.is_file():
        mapping = read_object(field, index).get("weight_map")
        named = set(mapping.values()) if isinstance(mapping, dict) else set()
        missing = sorted(str(name) for name in named if not (directory / str(name)).is_file())
        if missing or not named:
            fault = (
                f"{len(missing)} of {len(named)} weight files are missing, {missing[0]} first"
                if named
                else "there are none"
            )
            raise UserError(f"{field}: {directory} is not complete: by {index.name}, {fault}; copy it again")
    for file in files:
        try:
            if safetensors:
                read_header(file)
            elif not file.stat().st_size:
                raise UserError(f"{file} is empty; copy it again")
        except UserError as error:
            raise UserError(f"{field}: {error}") from error
