"""Supervised fine-tuning (objective ``sft``): the likelihood of the tokens of correct solutions."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional

from train.objectives.base import LossFunctions, LossOptions, Targets


def sft(outputs: Tensor, targets: Targets, options: LossOptions) -> Tensor:
    """Return the negative log-likelihood of each target token: ``-log softmax(logits)[label]``.

    Supervised fine-tuning on a solution's own tokens (rStar-Math, section 3.4; any language model's loss).
    ``outputs`` [N, vocabulary], ``targets.labels`` [N] token ids; returns [N] in nats.
    """
    return functional.cross_entropy(outputs.float(), targets.labels, reduction="none")


def token_accuracy(outputs: Tensor, targets: Targets, options: LossOptions) -> Tensor:
    """Return 1.0 for each target token that has the highest logit, else 0.0. [N]"""
    return (outputs.argmax(-1) == targets.labels).float()


FUNCTIONS = LossFunctions(loss=sft, metrics={"token_accuracy": token_accuracy})
