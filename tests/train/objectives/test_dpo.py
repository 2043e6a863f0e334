"""DPO's sums, losses and metrics against numbers worked out by hand."""

from __future__ import annotations

import math

import pytest
import torch

from train.objectives import Options, Targets
from train.objectives.dpo import (
    chosen_log_probability,
    dpo,
    dpo_nll,
    log_probabilities,
    pair_accuracy,
    rejected_log_probability,
    reward_margin,
)

# Two pairs. Changes against the reference: chosen +2, rejected -1 (margin 0.5 * 3 = 1.5); then -1 and +1 (-1).
# Chosen solutions have 2 and 4 tokens, rejected ones 3 and 1.
SUMS = torch.tensor([-4.0, -6.0, -8.0, -2.0])
TARGETS = Targets(
    rows=torch.tensor([0, 0, 1, 1, 1, 2, 2, 2, 2, 3]), reference=torch.tensor([-6.0, -5.0, -7.0, -3.0]), sequences=4
)
OPTIONS = Options(beta=0.5)


def test_log_probabilities_are_summed_a_sequence_and_not_across() -> None:
    # softmax(0, 0) = (1/2, 1/2); softmax(ln 3, 0) = (3/4, 1/4). Sequence 0: 1/2 * 3/4 = 3/8; 1: 1/4; 2: 1/2 * 1/4 = 1/8
    even, three = [0.0, 0.0], [math.log(3.0), 0.0]
    logits = torch.tensor([even, three, three, even, three])
    targets = Targets(torch.tensor([1, 0, 1, 0, 1]), torch.tensor([0, 0, 1, 2, 2]), sequences=3)
    assert log_probabilities(logits, targets).tolist() == pytest.approx(
        [math.log(3 / 8), math.log(1 / 4), math.log(1 / 8)]
    )


def test_dpo_is_minus_log_sigmoid_of_the_difference_of_the_changes() -> None:
    # log(1 + exp(-1.5)) = log 1.223130 = 0.201413; log(1 + exp(1)) = log 3.718282 = 1.313262
    assert dpo(SUMS, TARGETS, OPTIONS).tolist() == pytest.approx([0.201413, 1.313262], abs=1e-6)
    assert reward_margin(SUMS, TARGETS, OPTIONS).tolist() == [1.5, -1.0]
    assert pair_accuracy(SUMS, TARGETS, OPTIONS).tolist() == [1.0, 0.0]


def test_dpo_starts_at_log_two() -> None:
    start = Targets(rows=TARGETS.rows, reference=SUMS, sequences=4)
    assert dpo(SUMS, start, OPTIONS).tolist() == pytest.approx([math.log(2)] * 2)
    assert pair_accuracy(SUMS, start, OPTIONS).tolist() == [0.5, 0.5]


def test_dpo_nll_adds_the_chosen_likelihood_a_token() -> None:
    # 4 / 2 = 2 and 8 / 4 = 2 nats a token: 0.201413 + 2, 1.313262 + 2; with weight 0.25 half a nat
    assert dpo_nll(SUMS, TARGETS, OPTIONS).tolist() == pytest.approx([2.201413, 3.313262], abs=1e-6)
    quarter = Options(beta=0.5, nll_weight=0.25)
    assert dpo_nll(SUMS, TARGETS, quarter).tolist() == pytest.approx([0.701413, 1.813262], abs=1e-6)


def test_dpo_pushes_both_sides_and_the_likelihood_only_the_chosen_one() -> None:
    # d/dx of -log sigmoid(0.5 x) at margin 1.5: -0.5 * (1 - sigmoid(1.5)) = -0.5 * 0.182426 = -0.091213; at -1:
    # -0.5 * 0.731059 = -0.365529. The likelihood adds -1 / 2 tokens and -1 / 4 tokens to the chosen ones.
    sums = SUMS.clone().requires_grad_()
    dpo(sums, TARGETS, OPTIONS).sum().backward()
    assert sums.grad is not None
    assert sums.grad.tolist() == pytest.approx([-0.091213, 0.091213, -0.365529, 0.365529], abs=1e-6)
    sums.grad = None
    dpo_nll(sums, TARGETS, OPTIONS).sum().backward()
    assert sums.grad is not None
    assert sums.grad.tolist() == pytest.approx([-0.591213, 0.091213, -0.615529, 0.365529], abs=1e-6)


def test_log_probabilities_of_both_sides_are_metrics() -> None:
    assert chosen_log_probability(SUMS, TARGETS, OPTIONS).tolist() == [-4.0, -8.0]
    assert rejected_log_probability(SUMS, TARGETS, OPTIONS).tolist() == [-6.0, -2.0]
