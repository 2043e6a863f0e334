"""Process reward model (objective ``prm``): the class of each step, at the step's last token."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional

from train.objectives.base import LossFunctions, LossOptions, Targets


def prm(outputs: Tensor, targets: Targets, options: LossOptions) -> Tensor:
    """Return the cross-entropy of each step's class: ``-sum over the classes of share * log softmax(logits)``.

    Classes are correct, neutral and incorrect.

    Let's Verify Step by Step (arXiv 2305.20050), section 2.6: the likelihood of one label after each step, up to and
    including the first incorrect one; with a label that is certain this is ``-log P(label)``. Soft labels are shares of
    correct and incorrect. A step's score is P(correct) + P(neutral).
    ``outputs`` [N, 3] logits, ``targets.labels`` [N, 3] shares that sum to 1. Returns [N] in nats.
    """
    return -(targets.labels * functional.log_softmax(outputs.float(), dim=-1)).sum(-1)


def class_accuracy(outputs: Tensor, targets: Targets, options: LossOptions) -> Tensor:
    """Return 1.0 for each step whose likeliest class is the one of the largest share, else 0.0. [N]"""
    return (outputs.argmax(-1) == targets.labels.argmax(-1)).float()


FUNCTIONS = LossFunctions(loss=prm, metrics={"class_accuracy": class_accuracy})
