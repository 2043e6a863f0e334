"""Losses and metrics against numbers worked out by hand."""

from __future__ import annotations

import math

import pytest
import torch

from search import reward_models
from train.config import TrainConfig
from train.objectives import OBJECTIVES, Kind, Options, Targets
from train.objectives.base import HEADS
from train.objectives.orm import orm, outcome_accuracy
from train.objectives.ppm import pair_accuracy, ppm
from train.objectives.prm import absolute_error, class_accuracy, prm, q_regression
from train.objectives.sft import sft, token_accuracy

NONE = Targets()


def test_sft_is_the_negative_log_likelihood_of_each_token() -> None:
    # softmax(0, 0) = (1/2, 1/2); softmax(ln 3, 0) = (3/4, 1/4)
    logits = torch.tensor([[0.0, 0.0], [math.log(3.0), 0.0]])
    targets = Targets(torch.tensor([0, 1]))
    assert sft(logits, targets, Options()).tolist() == pytest.approx([math.log(2), math.log(4)])
    assert token_accuracy(logits, targets, Options()).tolist() == [1.0, 0.0]


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


def test_prm_is_the_negative_log_likelihood_of_a_steps_class() -> None:
    # softmax(ln 2, 0, 0) = (1/2, 1/4, 1/4): right costs ln 2 = 0.693147, neutral and wrong ln 4 = 1.386294
    logits = torch.tensor([[math.log(2.0), 0.0, 0.0]]).repeat(3, 1)
    targets = Targets(torch.eye(3))
    assert prm(logits, targets, Options()).tolist() == pytest.approx([0.693147, 1.386294, 1.386294], abs=1e-6)
    assert class_accuracy(logits, targets, Options()).tolist() == [1.0, 0.0, 0.0]


def test_prm_weighs_classes_by_soft_labels() -> None:
    # Shares 3/4 right, 1/4 wrong of the same probabilities: 0.75 * 0.693147 + 0.25 * 1.386294 = 0.866434
    logits = torch.tensor([[math.log(2.0), 0.0, 0.0]])
    targets = Targets(torch.tensor([[0.75, 0.0, 0.25]]))
    assert prm(logits, targets, Options()).tolist() == pytest.approx([0.866434], abs=1e-6)


def test_q_regression_is_the_squared_error_of_the_squashed_logit() -> None:
    # tanh(0) = 0, and tanh(ln 2) = (2 - 1/2) / (2 + 1/2) = 0.6: errors 0 - 0.5, 0.6 - 1, 0.6 + 1
    logits = torch.tensor([[0.0], [math.log(2.0)], [math.log(2.0)]])
    targets = Targets(torch.tensor([[0.5], [1.0], [-1.0]]))
    assert q_regression(logits, targets, Options()).tolist() == pytest.approx([0.25, 0.16, 2.56], abs=1e-6)
    assert absolute_error(logits, targets, Options()).tolist() == pytest.approx([0.5, 0.4, 1.6], abs=1e-6)


def test_orm_is_the_cross_entropy_of_the_outcome_at_each_token() -> None:
    # sigmoid(ln 3) = 3/4: right costs -ln 3/4 = 0.287682, wrong -ln 1/4 = 1.386294; sigmoid(0) = 1/2 costs ln 2
    logits = torch.tensor([[math.log(3.0)], [math.log(3.0)], [0.0]])
    targets = Targets(torch.tensor([[1.0], [0.0], [1.0]]))
    assert orm(logits, targets, Options()).tolist() == pytest.approx([0.287682, 1.386294, 0.693147], abs=1e-6)
    assert outcome_accuracy(logits, targets, Options()).tolist() == [1.0, 0.0, 0.5]


def test_registry_says_what_each_objective_reads() -> None:
    assert {name: objective.kind for name, objective in OBJECTIVES.items()} == {
        "sft": Kind.TOKENS,
        "dpo": Kind.PREFERENCES,
        "dpo_nll": Kind.PREFERENCES,
        "ppm": Kind.PAIRS,
        "q_regression": Kind.STEP_VALUES,
        "prm": Kind.STEP_LABELS,
        "orm": Kind.OUTCOMES,
    }


def test_a_kind_says_its_head_and_how_many_labels_a_target_has() -> None:
    assert {kind: (len(kind.head), kind.labels, kind.width) for kind in Kind} == {
        Kind.TOKENS: (0, 0, 1),
        Kind.PREFERENCES: (0, 0, 2),
        Kind.PAIRS: (1, 0, 2),
        Kind.STEP_VALUES: (1, 1, 1),
        Kind.STEP_LABELS: (3, 3, 1),
        Kind.OUTCOMES: (1, 1, 1),
    }


def test_config_and_options_have_the_same_defaults() -> None:
    config = TrainConfig()
    assert Options(config.squash_in_loss, config.dpo_beta, config.nll_weight) == Options()


def test_the_search_knows_every_head_by_the_names_of_its_outputs() -> None:
    without_head = {names for names, kind in reward_models.HEADS.items() if kind is reward_models.RewardModelKind.DPO}
    assert set(reward_models.HEADS) - without_head == set(HEADS.values())
    assert HEADS[Kind.STEP_LABELS] == reward_models.CLASSES
