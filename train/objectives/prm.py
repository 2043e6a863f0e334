"""Judging steps: a class, or a value, at the last token of each step. Knows formulas; no model and no data format."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from train.objectives.base import Options, Targets


def prm(outputs: Tensor, targets: Targets, options: Options) -> Tensor:
    """Cross-entropy of each step's class: ``-sum over right, neutral, wrong of share * log softmax(logits)``.

    Let's Verify Step by Step (arXiv 2305.20050), section 2.6: the likelihood of one label after each step, up to and
    including the first wrong one; with a label that is certain this is ``-log P(label)``. Soft labels are shares of
    right and wrong. A step's score is P(right) + P(neutral).
    ``outputs`` [N, 3] logits, ``targets.labels`` [N, 3] shares that sum to 1. Returns [N] in nats.
    """
    return -(targets.labels * functional.log_softmax(outputs.float(), dim=-1)).sum(-1)


def class_accuracy(outputs: Tensor, targets: Targets, options: Options) -> Tensor:
    """1.0 for each step whose likeliest class is the one of the largest share, else 0.0. Returns [N]."""
    return (outputs.argmax(-1) == targets.labels.argmax(-1)).float()


def q_regression(outputs: Tensor, targets: Targets, options: Options) -> Tensor:
    """Squared error of each step's value: ``(tanh(logit) - Q)^2``.

    rStar-Math's rival to the PPM, there called PQM (sections 3.3 and 4.3): the Q-values of the search are the labels.
    The paper prints no formula; the squared error is inferred from the value models it refers to (AlphaMath, arXiv
    2405.03553), and tanh brings the logit into the range of Q, as the search does with ``squash_scale`` 1.
    ``outputs`` [N, 1] logits, ``targets.labels`` [N, 1] in [-1, 1]. Returns [N], from 0 to 4.
    """
    return _errors(outputs, targets).square()


def absolute_error(outputs: Tensor, targets: Targets, options: Options) -> Tensor:
    """``|tanh(logit) - Q|`` of each step. Returns [N], from 0 to 2."""
    return _errors(outputs, targets).abs()


def _errors(outputs: Tensor, targets: Targets) -> Tensor:
    return (torch.tanh(outputs.float()) - targets.labels).squeeze(-1)
