"""Load and check what a training run starts from: a model directory, its tokenizer and record files."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from transformers import AutoTokenizer

from search.data import PreferencePair, StepLabels, Trajectory
from search.errors import UserError
from search.formats.base import StepFormat
from train.data.encode_pairs import encode_pairs, encode_preferences
from train.data.encode_solutions import encode_outcomes, encode_step_labels, encode_step_values, encode_trajectories
from train.data.encoding import Encoder
from train.data.records import read_records
from train.data.tokenized import TokenizedSet
from train.objectives import Objective, SampleKind

Encode = Callable[..., tuple[TokenizedSet, dict[str, int]]]

# Type of the records that samples of a kind are made of, and the function that encodes them.
ENCODERS: dict[SampleKind, tuple[type[Any], Encode]] = {
    SampleKind.TOKENS: (Trajectory, encode_trajectories),
    SampleKind.PREFERENCES: (PreferencePair, encode_preferences),
    SampleKind.PAIRS: (PreferencePair, encode_pairs),
    SampleKind.STEP_VALUES: (StepLabels, encode_step_values),
    SampleKind.STEP_LABELS: (StepLabels, encode_step_labels),
    SampleKind.OUTCOMES: (Trajectory, encode_outcomes),
}


class NothingToLearn(ValueError):
    """The data hold no sample to train on. The message gives the reason."""


def reward_outputs(directory: Path) -> int:
    """Return the number of outputs of the reward model in ``directory``; 0 if it holds no reward model."""
    config = json.loads((directory / "config.json").read_text())
    if not str((config.get("architectures") or [""])[0]).endswith("ForSequenceClassification"):
        return 0
    return len(config.get("id2label") or (0, 1))  # transformers leaves the map out where there are two


def check_directory(directory: Path, head: Sequence[str]) -> None:
    """Raise UserError if training a model with this head cannot start from ``directory``.

    ``head``: the names of a reward head's outputs, empty for a language head.
    """
    if not (directory / "config.json").is_file():
        raise UserError(f"no model at {directory}: a Hugging Face directory with config.json is needed")
    outputs, expected = reward_outputs(directory), len(head)
    if outputs and not expected:
        raise UserError(f"{directory} is a reward model: a causal language model is needed here")
    if outputs and outputs != expected:
        names = ", ".join(head)
        raise UserError(
            f"the reward model at {directory} gives {outputs} number(s), {expected} ({names}) are needed here"
        )


def load_tokenizer(directory: Path) -> tuple[Any, int, int]:
    """Return the tokenizer, its end-of-sequence id and its padding id (the end-of-sequence id if it has none)."""
    tokenizer = AutoTokenizer.from_pretrained(directory)
    if tokenizer.eos_token_id is None:
        raise UserError(f"the tokenizer at {directory} has no end-of-sequence token: set eos_token")
    pad_id = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else tokenizer.eos_token_id
    return tokenizer, int(tokenizer.eos_token_id), int(pad_id)


def load_samples(
    objective: Objective, init: Path, files: Sequence[Path], step_format: StepFormat, max_length: int
) -> tuple[TokenizedSet, dict[str, int]]:
    """Return tokenised samples, and the number of records left out by reason.

    Raises NothingToLearn if no sample is left, or if all labels are the same: a reward model would learn a constant.
    """
    check_directory(init, objective.head)
    tokenizer, eos_id, pad_id = load_tokenizer(init)

    def tokenise(texts: list[str]) -> list[list[int]]:
        return tokenizer(texts, add_special_tokens=False)["input_ids"]  # type: ignore[no-any-return]

    record_type, encode = ENCODERS[objective.samples]
    encoder = Encoder(tokenise, step_format.for_reward_model() if objective.head else step_format, eos_id)
    samples, dropped = encode(list(read_records(record_type, files)), encoder, max_length, pad_id)
    names = ", ".join(str(file) for file in files)
    if not len(samples):
        raise NothingToLearn(f"no sample to learn from in {names}: left out {dropped}")
    if objective.samples.labels:
        learnt = samples.labels[samples.targets]
        if (learnt == learnt[0]).all():
            label = dict(zip(objective.head, learnt[0].tolist(), strict=True))
            raise NothingToLearn(f"every label in {names} is {label}: there is nothing to tell apart")
    return samples, dropped
