"""Losses and metrics against numbers worked out by hand."""

from __future__ import annotations

import math
import subprocess
import sys

import pytest
import torch

from search import reward_models
from train.config import TrainConfig
from train.objectives import OBJECTIVES, Objective, SampleKind
from train.objectives.base import LossFunctions, LossOptions, Targets
from train.objectives.orm import orm, outcome_accuracy
from train.objectives.ppm import pair_accuracy, ppm
from train.objectives.prm import class_accuracy, prm
from train.objectives.q_regression import absolute_error, q_regression
from train.objectives.sft import sft, token_accuracy

NO_TARGETS = Targets()


def test_sft_is_the_negative_log_likelihood_of_each_token() -> None:
    # softmax(0, 0) = (1/2, 1/2); softmax(ln 3, 0) = (3/4, 1/4)
    logits = torch.tensor([[0.0, 0.0], [math.log(3.0), 0.0]])
    targets = Targets(labels=torch.tensor([0, 1]))
    assert sft(logits, targets, LossOptions()).tolist() == pytest.approx([math.log(2), math.log(4)])
    assert token_accuracy(logits, targets, LossOptions()).tolist() == [1.0, 0.0]


def test_ppm_is_minus_log_sigmoid_of_the_margin() -> None:
    # margins 1 - (-1) = 2, 0, -1: -log sigmoid = 0.126928, 0.693147, 1.313262
    rewards = torch.tensor([[1.0], [-1.0], [0.5], [0.5], [2.0], [3.0]])
    assert ppm(rewards, NO_TARGETS, LossOptions()).tolist() == pytest.approx([0.126928, 0.693147, 1.313262], abs=1e-6)
    assert pair_accuracy(rewards, NO_TARGETS, LossOptions()).tolist() == [1.0, 0.5, 0.0]


def test_ppm_squashes_rewards_before_the_margin() -> None:
    # tanh(1) - tanh(-1) = 1.523188; log(1 + exp(-1.523188)) = 0.197232
    rewards = torch.tensor([[1.0], [-1.0]])
    margin = 2 * math.tanh(1.0)
    assert ppm(rewards, NO_TARGETS, LossOptions(squash=True)).tolist() == pytest.approx([math.log1p(math.exp(-margin))])
    assert math.log1p(math.exp(-margin)) == pytest.approx(0.197, abs=1e-3)


def test_ppm_mean_over_four_pairs_of_a_prefix_is_the_paper_loss() -> None:
    better, worse = (0.7, 0.1), (-0.3, 0.4)
    pairs = [(a, b) for a in better for b in worse]
    paper = -1 / (2 * 2) * sum(math.log(1 / (1 + math.exp(-(a - b)))) for a, b in pairs)
    rewards = torch.tensor([[value] for pair in pairs for value in pair])
    assert ppm(rewards, NO_TARGETS, LossOptions()).mean().item() == pytest.approx(paper, abs=1e-6)


def test_prm_is_the_negative_log_likelihood_of_a_step_class() -> None:
    # softmax(ln 2, 0, 0) = (1/2, 1/4, 1/4): correct costs ln 2 = 0.693147, neutral and incorrect ln 4 = 1.386294
    logits = torch.tensor([[math.log(2.0), 0.0, 0.0]]).repeat(3, 1)
    targets = Targets(labels=torch.eye(3))
    assert prm(logits, targets, LossOptions()).tolist() == pytest.approx([0.693147, 1.386294, 1.386294], abs=1e-6)
    assert class_accuracy(logits, targets, LossOptions()).tolist() == [1.0, 0.0, 0.0]


def test_prm_weighs_classes_by_soft_labels() -> None:
    # Shares 3/4 correct, 1/4 incorrect of the same probabilities: 0.75 * 0.693147 + 0.25 * 1.386294 = 0.866434
    logits = torch.tensor([[math.log(2.0), 0.0, 0.0]])
    targets = Targets(labels=torch.tensor([[0.75, 0.0, 0.25]]))
    assert prm(logits, targets, LossOptions()).tolist() == pytest.approx([0.866434], abs=1e-6)


def test_q_regression_is_the_squared_error_of_the_tanh() -> None:
    # tanh(0) = 0, and tanh(ln 2) = (2 - 1/2) / (2 + 1/2) = 0.6: errors 0 - 0.5, 0.6 - 1, 0.6 + 1
    logits = torch.tensor([[0.0], [math.log(2.0)], [math.log(2.0)]])
    targets = Targets(labels=torch.tensor([[0.5], [1.0], [-1.0]]))
    assert q_regression(logits, targets, LossOptions()).tolist() == pytest.approx([0.25, 0.16, 2.56], abs=1e-6)
    assert absolute_error(logits, targets, LossOptions()).tolist() == pytest.approx([0.5, 0.4, 1.6], abs=1e-6)


def test_orm_is_the_cross_entropy_of_the_outcome_per_token() -> None:
    # sigmoid(ln 3) = 3/4: correct costs -ln 3/4 = 0.287682, incorrect -ln 1/4 = 1.386294; sigmoid(0) = 1/2 costs ln 2
    logits = torch.tensor([[math.log(3.0)], [math.log(3.0)], [0.0]])
    targets = Targets(labels=torch.tensor([[1.0], [0.0], [1.0]]))
    assert orm(logits, targets, LossOptions()).tolist() == pytest.approx([0.287682, 1.386294, 0.693147], abs=1e-6)
    assert outcome_accuracy(logits, targets, LossOptions()).tolist() == [1.0, 0.0, 0.5]


def test_objectives_name_their_kind_of_samples() -> None:
    assert {name: objective.samples for name, objective in OBJECTIVES.items()} == {
        "sft": SampleKind.TOKENS,
        "dpo": SampleKind.PREFERENCES,
        "dpo_nll": SampleKind.PREFERENCES,
        "ppm": SampleKind.PAIRS,
        "q_regression": SampleKind.STEP_VALUES,
        "prm": SampleKind.STEP_LABELS,
        "orm": SampleKind.OUTCOMES,
    }


def test_sample_kinds_give_labels_width_and_head() -> None:
    assert {kind: (kind.language_head, kind.labels, kind.width) for kind in SampleKind} == {
        SampleKind.TOKENS: (True, 0, 1),
        SampleKind.PREFERENCES: (True, 0, 2),
        SampleKind.PAIRS: (False, 0, 2),
        SampleKind.STEP_VALUES: (False, 1, 1),
        SampleKind.STEP_LABELS: (False, 3, 1),
        SampleKind.OUTCOMES: (False, 1, 1),
    }


@pytest.mark.parametrize("objective", OBJECTIVES.values(), ids=list(OBJECTIVES))
def test_head_fits_the_samples_of_an_objective(objective: Objective) -> None:
    assert isinstance(objective.functions(), LossFunctions)
    assert bool(objective.head) is not objective.samples.language_head
    assert objective.samples.labels in (0, len(objective.head))
    assert objective.trains_policy or objective.reward_model


def test_every_kind_with_labels_of_its_own_has_an_objective() -> None:
    kinds = {objective.reward_model: objective.head for objective in OBJECTIVES.values() if objective.reward_model}
    assert set(kinds) == set(reward_models.KIND_BY_LABELS.values())  # public ones are not trained here
    assert kinds[reward_models.RewardModelKind.PRM] == reward_models.PRM_CLASSES
    assert kinds[reward_models.RewardModelKind.DPO] == ()  # a language model


def test_registry_loads_no_torch() -> None:
    script = "import sys, train.objectives; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], timeout=60).returncode == 0


def test_loss_options_have_the_defaults_of_the_config() -> None:
    config = TrainConfig()
    options = LossOptions(squash=config.squash_in_loss, beta=config.dpo_beta, nll_weight=config.nll_weight)
    assert options == LossOptions()
