"""Imitation: the likelihood of the tokens that a good solution has. Knows the formula; no model and no data format."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional

from train.objectives.base import Options, Targets


def sft(outputs: Tensor, targets: Targets, options: Options) -> Tensor:
    """Negative log-likelihood of each target token: ``-log softmax(logits)[label]``.

    Supervised fine-tuning on a solution's own tokens (rStar-Math, section 3.4; any language model's loss).
    ``outputs`` [N, vocabulary], ``targets.labels`` [N] token ids; returns [N] in nats.
    """
    return functional.cross_entropy(outputs.float(), targets.labels, reduction="none")


def token_accuracy(outputs: Tensor, targets: Targets, options: Options) -> Tensor:
    """1.0 for each target token that has the highest logit, else 0.0. Returns [N]."""
    return (outputs.argmax(-1) == targets.labels).float()
