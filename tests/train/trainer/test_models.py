"""Heads: which one an objective needs, how a new one is initialised, and which directories are refused."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from transformers import AutoModelForSequenceClassification

from search.errors import UserError
from train.config import RewardModelTrainConfig, TrainConfig
from train.data.trainable import check_trainable, reward_outputs
from train.objectives import OBJECTIVES, Objective
from train.trainer.models import load_model

CONFIG = TrainConfig(precision="fp32", zero_stage=0, head_dropout=0.5)


@pytest.mark.parametrize("head", [objective.head for objective in OBJECTIVES.values() if objective.head])
def test_new_reward_head_has_labels_and_reproducible_weights(
    head: tuple[str, ...], tmp_path: Path, tiny_model: Path
) -> None:
    torch.manual_seed(1)
    model = load_model(tiny_model, head, CONFIG, pad_id=1).eval()
    torch.manual_seed(2)
    other = load_model(tiny_model, head, CONFIG, pad_id=1).eval()
    states = torch.arange(4, 132).view(8, 16), torch.arange(128)
    outputs = model(*states)
    assert torch.equal(outputs, other(*states))
    assert outputs.shape == (128, len(head)) and 0.3 < outputs.square().mean().sqrt() < 3
    assert model.dropout.p == 0.5
    model.model.save_pretrained(tmp_path)
    loaded = AutoModelForSequenceClassification.from_pretrained(tmp_path)
    assert type(loaded).__name__ == "Qwen2ForSequenceClassification"
    assert loaded.config.id2label == dict(enumerate(head))
    assert reward_outputs(tmp_path) == loaded.config.num_labels == len(head)


def test_head_dropout_acts_in_training_only(tmp_path: Path, tiny_model: Path) -> None:
    released = RewardModelTrainConfig(preset="released", precision="fp32", zero_stage=0, gradient_checkpointing=False)
    model = load_model(tiny_model, OBJECTIVES["ppm"].head, released, pad_id=1)
    seen: list[torch.Tensor] = []
    model.model.score.register_forward_pre_hook(lambda head, inputs: seen.append(inputs[0].detach()))
    states = torch.arange(4, 132).view(8, 16), torch.arange(128)
    model.eval()
    evaluated = model(*states)
    model.train()
    model(*states)
    kept, dropped = seen[0], seen[1]
    assert (kept == 0).sum() == 0
    share = (dropped == 0).float().mean()  # of 128 hidden states; what is left is scaled by 1 / 0.9
    assert 0.08 < share < 0.12
    assert torch.allclose(dropped[dropped != 0] * 0.9, kept[dropped != 0], atol=1e-6)
    model.model.save_pretrained(tmp_path)
    exported = AutoModelForSequenceClassification.from_pretrained(tmp_path, num_labels=1).train()
    scores = exported(input_ids=states[0]).logits  # at each text's last token: no dropout is exported
    assert torch.allclose(scores, evaluated[15::16], atol=1e-5)


@pytest.mark.parametrize("objective", [OBJECTIVES["sft"], OBJECTIVES["dpo"]])
def test_policy_keeps_its_language_head(objective: Objective, tiny_model: Path) -> None:
    model = load_model(tiny_model, objective.head, CONFIG, pad_id=1)
    outputs = model(torch.tensor([[5, 6, 7]]), torch.tensor([1]))
    vocabulary = model.model.config.vocab_size
    assert outputs.shape == (1, vocabulary) and vocabulary > 256
    assert outputs.std() > 0
    assert model.dropout.p == 0.0


def test_reward_model_is_refused_when_its_labels_do_not_fit(tmp_path: Path, tiny_model: Path) -> None:
    model = load_model(tiny_model, OBJECTIVES["ppm"].head, CONFIG, pad_id=1)
    with torch.no_grad():
        model.model.score.weight.fill_(0.25)
    model.model.save_pretrained(tmp_path)
    check_trainable(tmp_path, OBJECTIVES["orm"].head)
    loaded = load_model(tmp_path, OBJECTIVES["orm"].head, CONFIG, pad_id=1)
    assert loaded.model.score.weight.unique().tolist() == [0.25]
    assert loaded.model.config.id2label == {0: "correct"}
    with pytest.raises(UserError, match=r"gives 1 number\(s\), 3 \(correct, neutral, incorrect\) are needed here"):
        check_trainable(tmp_path, OBJECTIVES["prm"].head)
    with pytest.raises(UserError, match="is a reward model: a causal language model is needed here"):
        check_trainable(tmp_path, OBJECTIVES["dpo"].head)
