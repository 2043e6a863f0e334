"""Types of the loss functions: options, targets, and the record of a loss with its metrics.

A loss function turns the head's outputs at the batch's positions into one loss an *item* (a token, a step, a pair). The
loop takes their mean over all items of an optimizer step, however these are spread over workers and micro-batches.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class LossOptions:
    """Settings of the losses, from the config (train.config.TrainConfig describes them)."""

    squash: bool = False
    beta: float = 0.1
    nll_weight: float = 1.0


def _empty() -> Tensor:
    return torch.zeros(0)


@dataclass(frozen=True, slots=True, kw_only=True)
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
        """Return the same targets on ``device``."""
        return Targets(
            labels=self.labels.to(device, non_blocking=True),
            rows=self.rows.to(device, non_blocking=True),
            reference=self.reference.to(device, non_blocking=True),
            sequences=self.sequences,
        )


PrepareFn = Callable[[Tensor, Targets], Tensor]
ItemFn = Callable[[Tensor, Targets, LossOptions], Tensor]


def _identity(outputs: Tensor, targets: Targets) -> Tensor:
    return outputs


@dataclass(frozen=True, slots=True, kw_only=True)
class LossFunctions:
    """A loss over items, and the metrics that are averaged beside it.

    ``prepare`` is applied to the head's outputs first. Loss and metrics all take its result, so that costly work is done
    once.
    """

    loss: ItemFn
    metrics: Mapping[str, ItemFn] = field(default_factory=dict)
    prepare: PrepareFn = _identity
