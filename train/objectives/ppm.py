"""Process preference model (objective ``ppm``): of two continuations the better one is to score higher."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from train.objectives.base import LossFunctions, LossOptions, Targets


def ppm(outputs: Tensor, targets: Targets, options: LossOptions) -> Tensor:
    """Return the pairwise ranking loss of each pair: ``-log sigmoid(r_preferred - r_rejected)``.

    rStar-Math, section 3.3: ``-1/(2*2) * E[sum of log sigmoid(r(x, y+) - r(x, y-))]`` over the two preferred and two
    rejected continuations of a prefix. The constant 1/(2*2) makes the sum over these 2 x 2 pairs a mean, and with
    records of one pair each the mean over records is that formula; a prefix with fewer than four pairs weighs less, unless
    its pairs weigh more (``PreferencePair.weight``, by which the loop multiplies their losses).
    ``outputs`` [2P, 1] raw logits, preferred and rejected in turn; r = tanh(logit) with ``options.squash`` (paper),
    the logit itself without (released code). Returns [P] in nats; log 2 where both sides score the same.
    """
    return functional.softplus(-_margins(outputs, options))


def pair_accuracy(outputs: Tensor, targets: Targets, options: LossOptions) -> Tensor:
    """Return 1.0 for each pair whose preferred side scores higher, 0.5 for a tie, else 0.0. [P]"""
    return (torch.sign(_margins(outputs, options)) + 1.0) / 2.0


def _margins(outputs: Tensor, options: LossOptions) -> Tensor:
    rewards = outputs.float().view(-1, 2)
    if options.squash:
        rewards = torch.tanh(rewards)
    return rewards[:, 0] - rewards[:, 1]


FUNCTIONS = LossFunctions(loss=ppm, metrics={"pair_accuracy": pair_accuracy})
