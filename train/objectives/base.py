"""What an objective is: the data and the head it needs, what outputs are compared with. Knows no formula.

An objective turns what the model's head gave at the batch's positions into one loss an *item* (a token, a step, a
pair). The loop takes their mean over all items of an optimizer step, however these are spread over workers and
micro-batches.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

import torch
from torch import Tensor


class Kind(StrEnum):
    """What a batch holds, and with it which head the model has."""

    TOKENS = "tokens"  # solutions; a language head, one item a target token
    PREFERENCES = "preferences"  # solutions, chosen and rejected in turn; a language head, one item a pair
    PAIRS = "pairs"  # states, preferred and rejected in turn; a reward head, one item a pair
    STEP_VALUES = "step_values"  # solutions with a value a step; a reward head, one item a step
    STEP_LABELS = "step_labels"  # solutions with a class a step; a head of three classes, one item a step
    OUTCOMES = "outcomes"  # solutions, right or wrong; a reward head, one item a token after the prompt

    @property
    def width(self) -> int:
        """Sequences a unit: a unit is what is shuffled, one sequence or the two of a pair."""
        return 2 if self in (Kind.PAIRS, Kind.PREFERENCES) else 1

    @property
    def head(self) -> tuple[str, ...]:
        """Names of what a reward head gives, one a logit; empty for a language head, with a logit a token id."""
        return HEADS.get(self, ())

    @property
    def labels(self) -> int:
        """Numbers that each target token is labelled with; 0 where the token itself, or nothing, is the label."""
        return 0 if self is Kind.PAIRS else len(self.head)


CLASSES = ("right", "neutral", "wrong")
HEADS: dict[Kind, tuple[str, ...]] = {
    Kind.PAIRS: ("reward",),
    Kind.STEP_VALUES: ("value",),
    Kind.STEP_LABELS: CLASSES,
    Kind.OUTCOMES: ("right",),
}


@dataclass(frozen=True, slots=True)
class Options:
    """What objectives may be told by the config (train.config.TrainConfig describes them)."""

    squash: bool = False
    beta: float = 0.1
    nll_weight: float = 1.0


def _empty() -> Tensor:
    return torch.zeros(0)


@dataclass(frozen=True, slots=True)
class Targets:
    """What the N outputs of a batch of S sequences are compared with.

    ``labels`` [N] token ids, [N, C] numbers for kinds with labels, or empty; ``rows`` [N] the sequence, 0 to S - 1,
    that each output was read in; ``reference`` [S] log-probabilities of the sequences' target tokens under the model
    that training started from (nats), empty for kinds that need none; ``sequences`` S.
    """

    labels: Tensor = field(default_factory=_empty)
    rows: Tensor = field(default_factory=_empty)
    reference: Tensor = field(default_factory=_empty)
    sequences: int = 0

    def to(self, device: torch.device) -> Targets:
        labels, rows, reference = (
            tensor.to(device, non_blocking=True) for tensor in (self.labels, self.rows, self.reference)
        )
        return Targets(labels, rows, reference, self.sequences)


def as_given(outputs: Tensor, targets: Targets) -> Tensor:
    """The head's outputs as they are."""
    return outputs


Read = Callable[[Tensor, Targets], Tensor]
Function = Callable[[Tensor, Targets, Options], Tensor]


@dataclass(frozen=True, slots=True)
class Objective:
    """A loss over items of one kind and the metrics that are averaged beside it.

    ``read`` is applied to the head's outputs first; loss and metrics all work on what it gives, so that what is costly
    there is done once.
    """

    kind: Kind
    loss: Function
    metrics: Mapping[str, Function] = field(default_factory=dict)
    read: Read = as_given
