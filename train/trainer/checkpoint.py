"""Saves, restores and exports a DeepSpeed engine. Knows directories and ZeRO's partitions; not Ray, not objectives."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import deepspeed
import torch
from torch import distributed

from train.trainer.job import SUMMARY, TrainProgress
from train.trainer.models import Readout

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
    """Every rank writes its part into its own ``directory``; the parts together are the checkpoint."""
    engine.save_checkpoint(str(directory), tag=TAG, client_state={"progress": asdict(progress)})


def restore(engine: Any, directory: Path) -> TrainProgress:
    """Bring the engine back to the state saved in ``directory``."""
    path, client = engine.load_checkpoint(str(directory), tag=TAG)
    if path is None:
        raise RuntimeError(f"the checkpoint at {directory} is incomplete")
    return TrainProgress(**client["progress"])


def gather(model: torch.nn.Module, zero_stage: int) -> dict[str, torch.Tensor]:
    """All weights of ``model`` on rank 0's CPU, one at a time; on the other ranks an empty dict."""
    first = distributed.get_rank() == 0
    weights: dict[str, torch.Tensor] = {}
    for name, value in model.state_dict(keep_vars=True).items():
        parameters = [value] if isinstance(value, torch.nn.Parameter) else []
        with deepspeed.zero.GatheredParameters(parameters, enabled=zero_stage == 3 and bool(parameters)):
            if first:
                weights[name] = value.detach().cpu().clone()
    return weights


def export(readout: Readout, init: Path, output: Path, zero_stage: int, summary: Mapping[str, Any]) -> None:
    """Write a plain Hugging Face directory: weights, config, tokenizer and ``train.json``. Complete or absent.

    Every rank must call it; rank 0 writes. A reward model comes out as ``…ForSequenceClassification`` with one label.
    """
    weights = gather(readout.model, zero_stage)
    if distributed.get_rank() == 0:
        temporary = output.with_name(f".{output.name}.{os.getpid()}.tmp")
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir(parents=True)
        readout.model.save_pretrained(temporary, state_dict=weights)
        copy_tokenizer(init, temporary)
        (temporary / SUMMARY).write_text(json.dumps(summary, indent=2) + "\n")
        try:
            temporary.rename(output)
        except OSError:
            # The workers of a driver that was killed may live long enough to have made the same model meanwhile.
            if not output.exists():
                raise
            shutil.rmtree(temporary)
    distributed.barrier()


def copy_tokenizer(source: Path, target: Path) -> None:
    """Copy the tokenizer's files as they are, so that training and serving see the same tokens."""
    for pattern in TOKENIZER_FILES:
        for file in source.glob(pattern):
            if file.is_file():
                shutil.copyfile(file, target / file.name)
