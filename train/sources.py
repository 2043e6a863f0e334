"""What a training run starts from: a model directory, its tokenizer and record files, checked before anything starts.

Knows files and their faults; nothing of Ray, DeepSpeed or the loop.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError
from transformers import AutoTokenizer

from search import records
from search.errors import UserError
from search.formats import StepFormat
from search.types import PreferencePair, Trajectory
from train.batches import Encoder, Samples, encode_pairs, encode_trajectories
from train.objectives import Kind

Record = TypeVar("Record")


class NothingToLearn(ValueError):
    """The data hold no sample to train on. The message says what became of the records."""


def is_reward_model(directory: Path) -> bool:
    """Whether the directory holds a reward model, by the architecture in its config."""
    architectures = json.loads((directory / "config.json").read_text()).get("architectures") or [""]
    return str(architectures[0]).endswith("ForSequenceClassification")


def check_directory(directory: Path, kind: Kind) -> None:
    """Raises UserError where ``directory`` cannot be the start of a training run of this kind."""
    if not (directory / "config.json").is_file():
        raise UserError(f"no model at {directory}: a Hugging Face directory with config.json is needed")
    if kind is Kind.TOKENS and is_reward_model(directory):
        raise UserError(f"{directory} is a reward model: a causal language model is needed here")


def load_tokenizer(directory: Path) -> tuple[Any, int, int]:
    """Tokenizer, end-of-sequence id and padding id (the end-of-sequence id where there is none)."""
    tokenizer = AutoTokenizer.from_pretrained(directory)
    if tokenizer.eos_token_id is None:
        raise UserError(f"the tokenizer at {directory} has no end-of-sequence token: set eos_token")
    pad_id = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else tokenizer.eos_token_id
    return tokenizer, int(tokenizer.eos_token_id), int(pad_id)


def read_records(cls: type[Record], files: Sequence[Path]) -> Iterator[Record]:
    """All records of the files in order. Raises UserError that names file, line and field."""
    for file in files:
        if not file.is_file():
            raise UserError(f"no data file {file}: JSON lines of {cls.__name__} are needed")
        with file.open("rb") as lines:
            for number, line in enumerate(lines, 1):
                try:
                    yield records.load(cls, line)
                except ValidationError as error:
                    first = error.errors()[0]
                    where = ".".join(str(part) for part in first["loc"]) or "line"
                    raise UserError(f"{file}, line {number}: no {cls.__name__}, {where}: {first['msg']}") from error


def load_samples(
    kind: Kind, init: Path, files: Sequence[Path], step_format: StepFormat, max_length: int
) -> tuple[Samples, dict[str, int]]:
    """Tokenised samples and the records left out by reason. Raises NothingToLearn where none are left."""
    check_directory(init, kind)
    tokenizer, eos_id, pad_id = load_tokenizer(init)

    def tokenise(texts: list[str]) -> list[list[int]]:
        return tokenizer(texts, add_special_tokens=False)["input_ids"]  # type: ignore[no-any-return]

    encoder = Encoder(tokenise, step_format, eos_id)
    if kind is Kind.PAIRS:
        samples, dropped = encode_pairs(list(read_records(PreferencePair, files)), encoder, max_length, pad_id)
    else:
        samples, dropped = encode_trajectories(list(read_records(Trajectory, files)), encoder, max_length, pad_id)
    if not len(samples):
        names = ", ".join(str(file) for file in files)
        raise NothingToLearn(f"no sample to learn from in {names}: left out {dropped}")
    return samples, dropped
