"""Q-value regression (objective ``q_regression``): the value of each step, at the step's last token."""

from __future__ import annotations

import torch
from torch import Tensor

from train.objectives.base import LossFunctions, LossOptions, Targets


def q_regression(outputs: Tensor, targets: Targets, options: LossOptions) -> Tensor:
    """Return the squared error of each step's value: ``(tanh(logit) - Q)^2``.

    rStar-Math's rival to the PPM, there called PQM (sections 3.3 and 4.3): the Q-values of the search are the labels.
    The paper prints no formula; the squared error is inferred from the value models it refers to (AlphaMath, arXiv
    2405.03553), and tanh brings the logit into the range of Q, as the search does with ``squash_scale`` 1.
    ``outputs`` [N, 1] logits, ``targets.labels`` [N, 1] in [-1, 1]. Returns [N], from 0 to 4.
    """
    return _errors(outputs, targets).square()


def absolute_error(outputs: Tensor, targets: Targets, options: LossOptions) -> Tensor:
    """Return ``|tanh(logit) - Q|`` of each step. [N], from 0 to 2."""
    return _errors(outputs, targets).abs()


def _errors(outputs: Tensor, targets: Targets) -> Tensor:
    return (torch.tanh(outputs.float()) - targets.labels).squeeze(-1)


FUNCTIONS = LossFunctions(loss=q_regression, metrics={"absolute_error": absolute_error})
