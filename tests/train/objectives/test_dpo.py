"""DPO's sums, losses and metrics against numbers worked out by hand."""

from __future__ import annotations

import math

import pytest
import torch

from train.objectives.base import LossOptions, Targets
from train.objectives.dpo import (
    chosen_log_probability,
    dpo,
    pair_accuracy,
    rejected_log_probability,
    reward_margin,
    sequence_log_probs,
)
from train.objectives.dpo_nll import dpo_nll

# Two pairs. Changes against the reference: chosen +2, rejected -1 (margin 0.5 * 3 = 1.5); then -1 and +1 (-1).
# Chosen solutions have 2 and 4 tokens, rejected ones 3 and 1.
LOG_PROBS = torch.tensor([-4.0, -6.0, -8.0, -2.0])
TARGETS = Targets(
    rows=torch.tensor([0, 0, 1, 1, 1, 2, 2, 2, 2, 3]), reference=torch.tensor([-6.0, -5.0, -7.0, -3.0]), sequences=4
)
OPTIONS = LossOptions(beta=0.5)


def test_log_probs_are_summed_within_a_sequence() -> None:
    # softmax(0, 0) = (1/2, 1/2); softmax(ln 3, 0) = (3/4, 1/4). Sequence 0: 1/2 * 3/4 = 3/8; 1: 1/4; 2: 1/2 * 1/4 = 1/8
    half, three_quarters = [0.0, 0.0], [math.log(3.0), 0.0]
    logits = torch.tensor([half, three_quarters, three_quarters, half, three_quarters])
    targets = Targets(labels=torch.tensor([1, 0, 1, 0, 1]), rows=torch.tensor([0, 0, 1, 2, 2]), sequences=3)
    assert sequence_log_probs(logits, targets).tolist() == pytest.approx(
        [math.log(3 / 8), math.log(1 / 4), math.log(1 / 8)]
    )


def test_dpo_is_minus_log_sigmoid_of_the_reward_margin() -> None:
    # log(1 + exp(-1.5)) = log 1.223130 = 0.201413; log(1 + exp(1)) = log 3.718282 = 1.313262
    assert dpo(LOG_PROBS, TARGETS, OPTIONS).tolist() == pytest.approx([0.201413, 1.313262], abs=1e-6)
    assert reward_margin(LOG_PROBS, TARGETS, OPTIONS).tolist() == [1.5, -1.0]
    assert pair_accuracy(LOG_PROBS, TARGETS, OPTIONS).tolist() == [1.0, 0.0]


def test_dpo_is_log_two_at_the_reference() -> None:
    start = Targets(rows=TARGETS.rows, reference=LOG_PROBS, sequences=4)
    assert dpo(LOG_PROBS, start, OPTIONS).tolist() == pytest.approx([math.log(2)] * 2)
    assert pair_accuracy(LOG_PROBS, start, OPTIONS).tolist() == [0.5, 0.5]


def test_dpo_nll_adds_the_chosen_likelihood_per_token() -> None:
    # 4 / 2 = 2 and 8 / 4 = 2 nats a token: 0.201413 + 2, 1.313262 + 2; with weight 0.25 half a nat
    assert dpo_nll(LOG_PROBS, TARGETS, OPTIONS).tolist() == pytest.approx([2.201413, 3.313262], abs=1e-6)
    quarter_weight = LossOptions(beta=0.5, nll_weight=0.25)
    assert dpo_nll(LOG_PROBS, TARGETS, quarter_weight).tolist() == pytest.approx([0.701413, 1.813262], abs=1e-6)


def test_gradient_of_dpo_and_of_its_likelihood_term() -> None:
    # d/dx of -log sigmoid(0.5 x) at margin 1.5: -0.5 * (1 - sigmoid(1.5)) = -0.5 * 0.182426 = -0.091213; at -1:
    # -0.5 * 0.731059 = -0.365529. The likelihood adds -1 / 2 tokens and -1 / 4 tokens to the chosen ones.
    log_probs = LOG_PROBS.clone().requires_grad_()
    dpo(log_probs, TARGETS, OPTIONS).sum().backward()
    assert log_probs.grad is not None
    assert log_probs.grad.tolist() == pytest.approx([-0.091213, 0.091213, -0.365529, 0.365529], abs=1e-6)
    log_probs.grad = None
    dpo_nll(log_probs, TARGETS, OPTIONS).sum().backward()
    assert log_probs.grad is not None
    assert log_probs.grad.tolist() == pytest.approx([-0.591213, 0.091213, -0.615529, 0.365529], abs=1e-6)


def test_log_probs_of_both_sides_are_metrics() -> None:
    assert chosen_log_probability(LOG_PROBS, TARGETS, OPTIONS).tolist() == [-4.0, -8.0]
    assert rejected_log_probability(LOG_PROBS, TARGETS, OPTIONS).tolist() == [-6.0, -2.0]
