"""What a training run starts from: a model directory, its tokenizer and record files, checked before anything starts.

Knows files and their faults; nothing of Ray, DeepSpeed or the loop.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError
from transformers import AutoTokenizer

from search import serialization
from search.data import PreferencePair, StepLabels, Trajectory
from search.errors import UserError
from search.formats.registry import StepFormat
from train.data.encode_pairs import encode_pairs, encode_preferences
from train.data.encode_solutions import encode_outcomes, encode_step_labels, encode_step_values, encode_trajectories
from train.data.encoding import Encoder
from train.data.tokenized import TokenizedSet
from train.objectives import Kind

Record = TypeVar("Record")
Encode = Callable[..., tuple[TokenizedSet, dict[str, int]]]

# What the data files of a kind hold, and how these records become samples.
READERS: dict[Kind, tuple[type[Any], Encode]] = {
    Kind.TOKENS: (Trajectory, encode_trajectories),
    Kind.PREFERENCES: (PreferencePair, encode_preferences),
    Kind.PAIRS: (PreferencePair, encode_pairs),
    Kind.STEP_VALUES: (StepLabels, encode_step_values),
    Kind.STEP_LABELS: (StepLabels, encode_step_labels),
    Kind.OUTCOMES: (Trajectory, encode_outcomes),
}


class NothingToLearn(ValueError):
    """The data hold no sample to train on. The message says what became of the records."""


def reward_outputs(directory: Path) -> int:
    """How many numbers the head of the reward model in ``directory`` gives; 0 where it holds no reward model."""
    config = json.loads((directory / "config.json").read_text())
    if not str((config.get("architectures") or [""])[0]).endswith("ForSequenceClassification"):
        return 0
    return len(config.get("id2label") or (0, 1))  # transformers leaves the map out where there are two


def check_directory(directory: Path, kind: Kind) -> None:
    """Raises UserError where ``directory`` cannot be the start of a training run of this kind."""
    if not (directory / "config.json").is_file():
        raise UserError(f"no model at {directory}: a Hugging Face directory with config.json is needed")
    outputs, wanted = reward_outputs(directory), len(kind.head)
    if outputs and not wanted:
        raise UserError(f"{directory} is a reward model: a causal language model is needed here")
    if outputs and outputs != wanted:
        names = ", ".join(kind.head)
        raise UserError(
            f"the reward model at {directory} gives {outputs} number(s), {wanted} ({names}) are needed here"
        )


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
                    yield serialization.load(cls, line)
                except ValidationError as error:
                    first = error.errors()[0]
                    where = ".".join(str(part) for part in first["loc"]) or "line"
                    raise UserError(f"{file}, line {number}: no {cls.__name__}, {where}: {first['msg']}") from error


def load_samples(
    kind: Kind, init: Path, files: Sequence[Path], step_format: StepFormat, max_length: int
) -> tuple[TokenizedSet, dict[str, int]]:
    """Tokenised samples and the records left out by reason.

    Raises NothingToLearn where no sample is left, and where all labels are the same: a judge would learn a constant.
    """
    check_directory(init, kind)
    tokenizer, eos_id, pad_id = load_tokenizer(init)

    def tokenise(texts: list[str]) -> list[list[int]]:
        return tokenizer(texts, add_special_tokens=False)["input_ids"]  # type: ignore[no-any-return]

    record, encode = READERS[kind]
    encoder = Encoder(tokenise, step_format.for_reward_model() if kind.head else step_format, eos_id)
    samples, dropped = encode(list(read_records(record, files)), encoder, max_length, pad_id)
    names = ", ".join(str(file) for file in files)
    if not len(samples):
        raise NothingToLearn(f"no sample to learn from in {names}: left out {dropped}")
    if kind.labels:
        learnt = samples.labels[samples.targets]
        if (learnt == learnt[0]).all():
            label = dict(zip(kind.head, learnt[0].tolist(), strict=True))
            raise NothingToLearn(f"every label in {names} is {label}: there is nothing to tell apart")
    return samples, dropped
