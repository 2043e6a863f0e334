"""Save, restore and export a DeepSpeed engine."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import deepspeed
import torch
from torch import distributed

from search.formats.model_prompt import ModelPrompt, write_model_prompt
from search.storage.files import atomic_directory
from train.data.model_tokenizer import ModelTokenizer
from train.trainer.job import SUMMARY, TrainProgress
from train.trainer.models import ModelWithHead

TAG = "state"
TOKENIZER_FILES = (
    "tokenizer*",
    "vocab*",
    "merges.txt",
    "*.model",
    "special_tokens_map.json",
    "added_tokens.json",
    "chat_template*",
)


def save(engine: Any, directory: Path, progress: TrainProgress) -> None:
    """Save this rank's part of the checkpoint into ``directory``. All ranks must call it, each with its own directory."""
    engine.save_checkpoint(str(directory), tag=TAG, client_state={"progress": asdict(progress)})


def restore(engine: Any, directory: Path) -> TrainProgress:
    """Load the state saved in ``directory`` into the engine. Raises RuntimeError if the checkpoint is incomplete."""
    path, client = engine.load_checkpoint(str(directory), tag=TAG)
    if path is None:
        raise RuntimeError(f"the checkpoint at {directory} is incomplete")
    return TrainProgress(**client["progress"])


def gather_weights(model: torch.nn.Module, zero_stage: int) -> dict[str, torch.Tensor]:
    """Return all weights on rank 0's CPU, gathered one at a time; on the other ranks an empty dict.

    Tied weights are returned once, by the first of their names.
    """
    is_first = distributed.get_rank() == 0
    weights: dict[str, torch.Tensor] = {}
    seen: set[int] = set()
    for name, value in model.state_dict(keep_vars=True).items():
        if id(value) in seen:
            continue
        seen.add(id(value))
        parameters = [value] if isinstance(value, torch.nn.Parameter) else []
        with deepspeed.zero.GatheredParameters(parameters, enabled=zero_stage == 3 and bool(parameters)):
            if is_first:
                weights[name] = value.detach().cpu().clone()
    return weights


def export(
    model: ModelWithHead,
    init: Path,
    output: Path,
    zero_stage: int,
    summary: Mapping[str, Any],
    prompt: ModelPrompt,
    tokenizer: ModelTokenizer | None = None,
) -> None:
    """Write a plain Hugging Face directory: weights, config, tokenizer, ``train.json`` and raystar.json. Complete or absent.

    All ranks must call it; rank 0 writes. A model with a reward head is a ``…ForSequenceClassification``. The files of the
    tokenizer are those of ``init``, unless it has new tokens.
    """
    weights = gather_weights(model.model, zero_stage)
    if distributed.get_rank() == 0:
        with atomic_directory(output) as directory:  # workers of a killed driver may export the same model meanwhile
            model.model.save_pretrained(directory, state_dict=weights)
            copy_tokenizer(init, directory)
            if tokenizer is not None and tokenizer.new_tokens:
                tokenizer.tokenizer.save_pretrained(directory)
            (directory / SUMMARY).write_text(json.dumps(summary, indent=2) + "\n")
            write_model_prompt(directory, prompt)
    distributed.barrier()


def copy_tokenizer(source: Path, target: Path) -> None:
    """Copy the tokenizer's files unchanged, so that training and serving use the same tokens."""
    for pattern in TOKENIZER_FILES:
        for file in source.glob(pattern):
            if file.is_file():
                shutil.copyfile(file, target / file.name)
