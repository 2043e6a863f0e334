"""Load what a training run learns from: record files as tokenised samples."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from search.data import PreferencePair, StepLabels, Trajectory
from search.formats.base import StepFormat
from search.tokens import TokenEncoder, vocabulary_digest
from train.data.encode_pairs import encode_pairs, encode_preferences
from train.data.encode_solutions import encode_outcomes, encode_step_labels, encode_step_values, encode_trajectories
from train.data.encoding import Encoder
from train.data.model_tokenizer import load_tokenizer
from train.data.records import read_records
from train.data.tokenized import TokenizedSet
from train.data.trainable import check_trainable
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


def load_samples(
    objective: Objective,
    init: Path,
    files: Sequence[Path],
    step_format: StepFormat,
    max_length: int,
    *,
    tags: Sequence[str] = (),
    trust_remote_code: bool = False,
) -> tuple[TokenizedSet, dict[str, int]]:
    """Return tokenised samples, and the number of records left out by reason. ``tags`` become tokens of their own.

    Raises UserError if ``init`` cannot be trained, and NothingToLearn if no sample is left, or if all labels are the same:
    a reward model would learn a constant.
    """
    check_trainable(init, objective.head, trust_remote_code=trust_remote_code)
    loaded = load_tokenizer(init, step_format.turn_end, tags, trust_remote_code=trust_remote_code)

    record_type, encode = ENCODERS[objective.samples]
    read_as = step_format.for_reward_model() if objective.head else step_format
    digest = "" if loaded.new_tokens else vocabulary_digest(init)  # ids drawn before the tags were tokens spell them
    encoder = Encoder(TokenEncoder.of(loaded.tokenizer, vocabulary=digest), read_as, loaded.end_id)
    samples, dropped = encode(list(read_records(record_type, files)), encoder, max_length, loaded.pad_id)
    names = ", ".join(str(file) for file in files)
    if not len(samples):
        raise NothingToLearn(f"no sample to learn from in {names}: left out {dropped}")
    if objective.samples.labels:
        learnt = samples.labels[samples.targets]
        if (learnt == learnt[0]).all():
            label = dict(zip(objective.head, learnt[0].tolist(), strict=True))
            raise NothingToLearn(f"every label in {names} is {label}: there is nothing to tell apart")
    return samples, dropped
