"""Export a model: write a directory that transformers, vLLM and the Hub use as it is."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import dataclass, replace
from pathlib import Path

from cluster.export.chat_template import exact_template, prompt_of
from cluster.export.model_card import QUESTION, CardFacts, model_card
from cluster.export.provenance import Provenance, read_provenance
from cluster.export.stops import stop_ids, stop_texts, write_generation_config
from search.errors import UserError
from search.formats.chat_template import TEMPLATE_FILE, TOKENIZER_CONFIG
from search.formats.model_prompt import ModelPrompt, PromptSettings, build_format, choose_prompt, write_model_prompt
from search.serialization import read_json_object
from search.storage.files import atomic_directory, write_text
from train.data.model_tokenizer import ModelTokenizer, load_tokenizer
from train.trainer.job import SUMMARY

# Everything that belongs to a model; what else lies beside it is left behind.
COPIED = (
    "*.safetensors",
    "*.safetensors.index.json",
    "*.json",
    "*.model",
    "*.tiktoken",
    "merges.txt",
    "vocab.txt",
    "*.py",
)
BIN_WEIGHTS = ("*.bin", "*.bin.index.json")


@dataclass(frozen=True, slots=True, kw_only=True)
class Export:
    """What an export writes, worked out before anything is written."""

    source: Path
    name: str
    prompt: ModelPrompt
    tokenizer: ModelTokenizer
    template: str
    stop_ids: list[int]
    card: str
    origin: Provenance


def plan_export(
    source: Path, name: str, license: str | None, *, hub_name: str = "", commit: str | None = None
) -> Export:
    """Work out how the model in ``source`` is prompted, and its card. Raises UserError. Writes nothing.

    ``name``: of the model on its card. ``license``: identifier of its licence, None if it is not stated. ``hub_name`` and
    ``commit``: where the model itself comes from, if that is the Hub.
    """
    prompt = choose_prompt(source, PromptSettings())
    step_format = build_format(prompt, source)
    origin = read_provenance(source)
    if commit:
        origin = replace(origin, base=hub_name, revision=commit)
    tokenizer = load_tokenizer(source, step_format.turn_end)
    template = exact_template(step_format, tokenizer.tokenizer)
    if origin.kind is not None:
        prompt = replace(prompt, reward_kind=str(origin.kind))
    facts = CardFacts(
        name=name,
        license=license,
        prompt=prompt_of(step_format, QUESTION),
        step_format=step_format,
        stops=stop_texts(step_format),
        trained_on_format=prompt.trained_on_format,
    )
    return Export(
        source=source,
        name=name,
        prompt=prompt,
        tokenizer=tokenizer,
        template=template.text,
        stop_ids=stop_ids(source, step_format, tokenizer),
        card=model_card(facts, origin),
        origin=origin,
    )


def check_target(target: Path) -> None:
    """Raise UserError if ``target`` exists and is not an empty directory, or cannot be made."""
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise UserError(f"DIR: {target} exists and is not an empty directory: choose another place, or remove it")
    parent = next(folder for folder in target.parents if folder.exists())
    if not parent.is_dir() or not os.access(parent, os.W_OK):
        raise UserError(f"DIR: {target} cannot be made: {parent} is no directory that can be written to")


def write_export(export: Export, target: Path) -> None:
    """Write the model to ``target``, complete or not at all."""
    check_target(target)
    with atomic_directory(target) as directory:
        for file in _files(export.source):
            shutil.copyfile(file, directory / file.name)
        _write_template(directory, export.template)
        write_generation_config(export.source, directory, export.stop_ids)
        write_model_prompt(directory, export.prompt)
        write_text(directory / "README.md", export.card)


def _files(source: Path) -> list[Path]:
    """Return the files of a model: one copy of its weights, config, tokenizer, and code of its own."""
    patterns = COPIED if any(source.glob("*.safetensors")) else (*COPIED, *BIN_WEIGHTS)
    files = {file for pattern in patterns for file in source.glob(pattern) if file.is_file()}
    return sorted(file for file in files if file.name != SUMMARY)


def _write_template(directory: Path, template: str) -> None:
    """Write the template, and remove others: transformers reads the file, older programs the tokenizer's config."""
    write_text(directory / TEMPLATE_FILE, template)
    config = read_json_object(directory / TOKENIZER_CONFIG)
    write_text(
        directory / TOKENIZER_CONFIG,
        json.dumps({**config, "chat_template": template}, indent=2, ensure_ascii=False) + "\n",
    )
