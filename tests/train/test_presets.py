"""rStar-Math's training settings by name: values of the sources, and what goes before what."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from train.config import PolicyTrainConfig, RewardModelTrainConfig, TrainConfig
from train.presets import POLICY_PRESETS, REWARD_MODEL_PRESETS


def test_policy_presets_have_the_values_of_their_sources() -> None:
    paper, released = PolicyTrainConfig(preset="paper"), PolicyTrainConfig(preset="released")
    for config in (paper, released):  # 8 processes x 4 sequences x 4 accumulated steps = 128
        assert (config.epochs, config.batch_size, config.learning_rate) == (2, 8 * 4 * 4, 7e-6)
        assert (config.schedule, config.warmup_ratio, config.tag_tokens) == ("linear", 0.0, True)
    assert (paper.max_length, released.max_length) == (4096, 2048)
    assert (released.weight_decay, released.betas) == (0.1, (0.9, 0.999))


def test_reward_model_presets_have_the_values_of_their_sources() -> None:
    paper, released = RewardModelTrainConfig(preset="paper"), RewardModelTrainConfig(preset="released")
    for config in (paper, released):  # 8 processes x 16 pairs x 4 accumulated steps = 512
        assert (config.batch_size, config.learning_rate) == (8 * 16 * 4, 7e-6)
    assert (paper.epochs, paper.head_dropout, paper.squash_in_loss) == (1, 0.0, True)
    assert (released.epochs, released.head_dropout, released.squash_in_loss) == (2, 0.1, False)
    assert (released.max_length, released.weight_decay) == (2048, 0.0)


@pytest.mark.parametrize("presets", [POLICY_PRESETS, REWARD_MODEL_PRESETS])
def test_presets_set_fields_of_a_training(presets: dict[str, dict[str, object]]) -> None:
    assert list(presets) == ["paper", "released"]
    for values in presets.values():
        assert values.keys() <= TrainConfig.model_fields.keys()


def test_later_preset_replaces_earlier_values() -> None:
    before = PolicyTrainConfig(max_length=512, workers=2)
    after = before.revise({"preset": "released", "epochs": 1})
    assert (after.max_length, after.workers, after.epochs, after.weight_decay) == (2048, 2, 1, 0.1)
    with pytest.raises(ValidationError, match="epochs"):
        before.revise({"epochs": 0})
