"""Direct preference optimisation: of two solutions the policy is to make the better one likelier. Knows formulas only.

Everything here works on the log-probabilities of whole sequences, which ``log_probabilities`` sums from the head's
outputs; chosen and rejected solutions come in turn.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from train.objectives.base import Options, Targets


def log_probabilities(outputs: Tensor, targets: Targets) -> Tensor:
    """Log-probability of each sequence: the sum of ``log softmax(logits)[label]`` over its target tokens.

    ``outputs`` [N, vocabulary], ``targets.labels`` [N] token ids, ``targets.rows`` [N]; returns [S] in nats.
    """
    each = -functional.cross_entropy(outputs.float(), targets.labels, reduction="none")
    return each.new_zeros(targets.sequences).index_add(0, targets.rows, each)


def dpo(sums: Tensor, targets: Targets, options: Options) -> Tensor:
    """``-log sigmoid(r_chosen - r_rejected)`` of each pair, with ``r = beta * (log p(y) - log p_ref(y))``.

    DPO (arXiv 2305.18290), equation 7. ``sums`` [2P] log-probabilities, ``targets.reference`` [2P] those of the model
    that training started from. Returns [P] in nats; log 2 for every pair before the first step.
    """
    return functional.softplus(-reward_margin(sums, targets, options))


def dpo_nll(sums: Tensor, targets: Targets, options: Options) -> Tensor:
    """DPO plus ``-nll_weight * log p(y_chosen) / |y_chosen|`` of each pair.

    Iterative RPO (arXiv 2404.19733), equation 1: DPO's log-probabilities are sums, only the added negative
    log-likelihood is divided by the number of tokens, which are the chosen solution's targets. Returns [P] in nats.
    """
    lengths = torch.bincount(targets.rows, minlength=targets.sequences)
    likelihood = sums[0::2] / lengths[0::2]
    return dpo(sums, targets, options) - options.nll_weight * likelihood


def reward_margin(sums: Tensor, targets: Targets, options: Options) -> Tensor:
    """``r_chosen - r_rejected`` of each pair; 0 before the first step. Returns [P]."""
    rewards = options.beta * (sums - targets.reference)
    return rewards[0::2] - rewards[1::2]


def pair_accuracy(sums: Tensor, targets: Targets, options: Options) -> Tensor:
    """1.0 for each pair of positive margin, 0.5 where it is 0, else 0.0. Returns [P]."""
    return (torch.sign(reward_margin(sums, targets, options)) + 1.0) / 2.0


def chosen_log_probability(sums: Tensor, targets: Targets, options: Options) -> Tensor:
    """log p of each chosen solution, [P] in nats: it falls under plain DPO and rises with the likelihood term
    (Iterative RPO, section 4)."""
    return sums[0::2]


def rejected_log_probability(sums: Tensor, targets: Targets, options: Options) -> Tensor:
    """log p of each rejected solution, [P] in nats."""
    return sums[1::2]
