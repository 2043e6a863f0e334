"""Training objectives as pure functions over tensors. Knows formulas; no model, no data format and no loop.

An objective turns what the model's head gave at the batch's positions into one loss an *item* (a token, a pair). The
loop takes their mean over all items of an optimizer step, however these are spread over workers and micro-batches.
A new objective is one function and one line in ``OBJECTIVES``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

import torch
from torch import Tensor
from torch.nn import functional


class Kind(StrEnum):
    """What a batch holds, and with it which head the model has."""

    TOKENS = "tokens"  # solutions; a causal head, one item a target token
    PAIRS = "pairs"  # preferred and rejected in turn; a reward head, one item a pair


@dataclass(frozen=True, slots=True)
class Options:
    """What objectives may be told by the config."""

    squash: bool = False


def sft(outputs: Tensor, labels: Tensor, options: Options) -> Tensor:
    """Negative log-likelihood of each target token: ``-log softmax(logits)[label]``.

    Supervised fine-tuning on a solution's own tokens (rStar-Math, section 3.4; any language model's loss).
    ``outputs`` [N, vocabulary], ``labels`` [N] token ids; returns [N] in nats.
    """
    return functional.cross_entropy(outputs.float(), labels, reduction="none")


def ppm(outputs: Tensor, labels: Tensor, options: Options) -> Tensor:
    """Pairwise ranking loss of each pair: ``-log sigmoid(r_preferred - r_rejected)``.

    rStar-Math, section 3.3: ``-1/(2*2) * E[sum of log sigmoid(r(x, y+) - r(x, y-))]`` over the two preferred and two
    rejected continuations of a prefix. The constant 1/(2*2) makes the sum over these 2 x 2 pairs a mean, and with
    records of one pair each the mean over records is that formula; a prefix with fewer than four pairs weighs less.
    ``outputs`` [2P, 1] raw logits, preferred and rejected in turn; r = tanh(logit) with ``options.squash`` (paper),
    the logit itself without (released code). Returns [P] in nats; log 2 where both sides score the same.
    """
    return functional.softplus(-_margins(outputs, options))


def _margins(outputs: Tensor, options: Options) -> Tensor:
    rewards = outputs.float().view(-1, 2)
    if options.squash:
        rewards = torch.tanh(rewards)
    return rewards[:, 0] - rewards[:, 1]


def pair_accuracy(outputs: Tensor, labels: Tensor, options: Options) -> Tensor:
    """1.0 for each pair whose preferred side scores higher, 0.5 for a tie, else 0.0. Returns [P]."""
    return (torch.sign(_margins(outputs, options)) + 1.0) / 2.0


def token_accuracy(outputs: Tensor, labels: Tensor, options: Options) -> Tensor:
    """1.0 for each target token that has the highest logit, else 0.0. Returns [N]."""
    return (outputs.argmax(-1) == labels).float()


Function = Callable[[Tensor, Tensor, Options], Tensor]


@dataclass(frozen=True, slots=True)
class Objective:
    """A loss over items of one kind and the metrics that are averaged beside it."""

    kind: Kind
    loss: Function
    metrics: Mapping[str, Function] = field(default_factory=dict)


OBJECTIVES: dict[str, Objective] = {
    "sft": Objective(Kind.TOKENS, sft, {"token_accuracy": token_accuracy}),
    "ppm": Objective(Kind.PAIRS, ppm, {"pair_accuracy": pair_accuracy}),
}
