"""Outcome reward model (objective ``orm``): the probability that a solution ends correctly."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from train.objectives.base import LossFunctions, LossOptions, Targets


def orm(outputs: Tensor, targets: Targets, options: LossOptions) -> Tensor:
    """Return the cross-entropy of the outcome at each token.

    ``-log sigmoid(logit)`` if the solution is correct, ``-log(1 - sigmoid(logit))`` if it is incorrect.
    Let's Verify Step by Step (arXiv 2305.20050), section 2.5, after Cobbe et al. (arXiv 2110.14168): every token of a
    solution has the solution's label, and the solution's score is read at its last token.
    ``outputs`` [N, 1] logits, ``targets.labels`` [N, 1] 1 correct, 0 incorrect. Returns [N] in nats.
    """
    return functional.binary_cross_entropy_with_logits(outputs.float(), targets.labels, reduction="none").squeeze(-1)


def outcome_accuracy(outputs: Tensor, targets: Targets, options: LossOptions) -> Tensor:
    """Return 1.0 for each token at which the likelier outcome is the true one, 0.5 at even odds, else 0.0. [N]"""
    signs = 2.0 * targets.labels - 1.0
    return (torch.sign(outputs.float() * signs).squeeze(-1) + 1.0) / 2.0


FUNCTIONS = LossFunctions(loss=orm, metrics={"outcome_accuracy": outcome_accuracy})
