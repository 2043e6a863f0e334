"""DPO with a likelihood term (objective ``dpo_nll``), the loss of Iterative RPO."""

from __future__ import annotations

import torch
from torch import Tensor

from train.objectives.base import LossFunctions, LossOptions, Targets
from train.objectives.dpo import METRICS, dpo, sequence_log_probs


def dpo_nll(log_probs: Tensor, targets: Targets, options: LossOptions) -> Tensor:
    """Return DPO plus ``-nll_weight * log p(y_chosen) / |y_chosen|`` of each pair.

    Iterative RPO (arXiv 2404.19733), equation 1: DPO's log-probabilities are sums, only the added negative
    log-likelihood is divided by the number of tokens, which are the chosen solution's targets. Returns [P] in nats.
    """
    lengths = torch.bincount(targets.rows, minlength=targets.sequences)
    likelihood = log_probs[0::2] / lengths[0::2]
    return dpo(log_probs, targets, options) - options.nll_weight * likelihood


FUNCTIONS = LossFunctions(loss=dpo_nll, metrics=METRICS, prepare=sequence_log_probs)
