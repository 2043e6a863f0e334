"""Losses and metrics against numbers worked out by hand."""

from __future__ import annotations

import math

import pytest
import torch

from train.objectives import OBJECTIVES, Kind, Options, pair_accuracy, ppm, sft, token_accuracy

NONE = torch.zeros(0, dtype=torch.long)


def test_sft_is_the_negative_log_likelihood_of_each_token() -> None:
    # softmax(0, 0) = (1/2, 1/2); softmax(ln 3, 0) = (3/4, 1/4)
    logits = torch.tensor([[0.0, 0.0], [math.log(3.0), 0.0]])
    assert sft(logits, torch.tensor([0, 1]), Options()).tolist() == pytest.approx([math.log(2), math.log(4)])
    assert token_accuracy(logits, torch.tensor([0, 1]), Options()).tolist() == [1.0, 0.0]


def test_ppm_is_minus_log_sigmoid_of_the_margin() -> None:
    # margins 1 - (-1) = 2, 0, -1: -log sigmoid = 0.126928, 0.693147, 1.313262
    rewards = torch.tensor([[1.0], [-1.0], [0.5], [0.5], [2.0], [3.0]])
    assert ppm(rewards, NONE, Options()).tolist() == pytest.approx([0.126928, 0.693147, 1.313262], abs=1e-6)
    assert pair_accuracy(rewards, NONE, Options()).tolist() == [1.0, 0.5, 0.0]


def test_ppm_squashes_before_the_margin() -> None:
    # tanh(1) - tanh(-1) = 1.523188; log(1 + exp(-1.523188)) = 0.197232
    rewards = torch.tensor([[1.0], [-1.0]])
    margin = 2 * math.tanh(1.0)
    assert ppm(rewards, NONE, Options(squash=True)).tolist() == pytest.approx([math.log1p(math.exp(-margin))])
    assert math.log1p(math.exp(-margin)) == pytest.approx(0.197, abs=1e-3)


def test_mean_over_the_four_pairs_of_a_prefix_is_the_papers_loss() -> None:
    better, worse = (0.7, 0.1), (-0.3, 0.4)
    pairs = [(a, b) for a in better for b in worse]
    paper = -1 / (2 * 2) * sum(math.log(1 / (1 + math.exp(-(a - b)))) for a, b in pairs)
    rewards = torch.tensor([[value] for pair in pairs for value in pair])
    assert ppm(rewards, NONE, Options()).mean().item() == pytest.approx(paper, abs=1e-6)


def test_registry_says_what_each_objective_reads() -> None:
    assert {name: objective.kind for name, objective in OBJECTIVES.items()} == {"sft": Kind.TOKENS, "ppm": Kind.PAIRS}
