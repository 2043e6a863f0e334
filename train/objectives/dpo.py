"""Direct preference optimisation (objective ``dpo``): of two solutions the policy is to make the better one likelier.

Loss and metrics take log-probabilities of whole sequences, which ``sequence_log_probs`` sums from the head's outputs.
Chosen and rejected solutions come in turn.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from train.objectives.base import ItemFn, LossFunctions, LossOptions, Targets


def sequence_log_probs(outputs: Tensor, targets: Targets) -> Tensor:
    """Return the log-probability of each sequence: the sum of ``log softmax(logits)[label]`` over its target tokens.

    ``outputs`` [N, vocabulary], ``targets.labels`` [N] token ids, ``targets.rows`` [N]; returns [S] in nats.
    """
    log_probs = -functional.cross_entropy(outputs.float(), targets.labels, reduction="none")
    return log_probs.new_zeros(targets.sequences).index_add(0, targets.rows, log_probs)


def dpo(log_probs: Tensor, targets: Targets, options: LossOptions) -> Tensor:
    """Return ``-log sigmoid(r_chosen - r_rejected)`` of each pair, with ``r = beta * (log p(y) - log p_ref(y))``.

    DPO (arXiv 2305.18290), equation 7. ``log_probs`` [2P], ``targets.reference`` [2P] those of the model that training
    started from. Returns [P] in nats; log 2 for every pair before the first step.
    """
    return functional.softplus(-reward_margin(log_probs, targets, options))


def reward_margin(log_probs: Tensor, targets: Targets, options: LossOptions) -> Tensor:
    """Return ``r_chosen - r_rejected`` of each pair; 0 before the first step. [P]"""
    rewards = options.beta * (log_probs - targets.reference)
    return rewards[0::2] - rewards[1::2]


def pair_accuracy(log_probs: Tensor, targets: Targets, options: LossOptions) -> Tensor:
    """Return 1.0 for each pair of positive margin, 0.5 where it is 0, else 0.0. [P]"""
    return (torch.sign(reward_margin(log_probs, targets, options)) + 1.0) / 2.0


def chosen_log_probability(log_probs: Tensor, targets: Targets, options: LossOptions) -> Tensor:
    """Return log p of each chosen solution, [P] in nats.

    It falls under plain DPO and rises with the likelihood term (Iterative RPO, section 4).
    """
    return log_probs[0::2]


def rejected_log_probability(log_probs: Tensor, targets: Targets, options: LossOptions) -> Tensor:
    """Return log p of each rejected solution, [P] in nats."""
    return log_probs[1::2]


METRICS: dict[str, ItemFn] = {
    "chosen_log_probability": chosen_log_probability,
    "rejected_log_probability": rejected_log_probability,
    "reward_margin": reward_margin,
    "pair_accuracy": pair_accuracy,
}
FUNCTIONS = LossFunctions(loss=dpo, metrics=METRICS, prepare=sequence_log_probs)
