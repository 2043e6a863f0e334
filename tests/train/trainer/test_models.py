"""Heads: which one a kind of data needs, how a new one starts, and which directories cannot be taken."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from transformers import AutoModelForSequenceClassification

from search.errors import UserError
from train.config import TrainConfig
from train.data.loading import check_directory, reward_outputs
from train.objectives import Kind
from train.trainer.models import load

CONFIG = TrainConfig(precision="fp32", zero_stage=0, head_dropout=0.5)


@pytest.mark.parametrize("kind", [kind for kind in Kind if kind.head])
def test_a_new_judge_has_named_labels_and_begins_with_the_same_judgements_of_about_one(
    kind: Kind, tmp_path: Path, tiny_model: Path
) -> None:
    torch.manual_seed(1)
    readout = load(tiny_model, kind, CONFIG, pad_id=1).eval()
    torch.manual_seed(2)
    other = load(tiny_model, kind, CONFIG, pad_id=1).eval()
    states = torch.arange(4, 132).view(8, 16), torch.arange(128)
    outputs = readout(*states)
    assert torch.equal(outputs, other(*states))
    assert outputs.shape == (128, len(kind.head)) and 0.3 < outputs.square().mean().sqrt() < 3
    assert readout.dropout.p == 0.5
    readout.model.save_pretrained(tmp_path)
    again = AutoModelForSequenceClassification.from_pretrained(tmp_path)
    assert type(again).__name__ == "Qwen2ForSequenceClassification"
    assert again.config.id2label == dict(enumerate(kind.head))
    assert reward_outputs(tmp_path) == again.config.num_labels == len(kind.head)


@pytest.mark.parametrize("kind", [Kind.TOKENS, Kind.PREFERENCES])
def test_a_policy_keeps_its_language_head(kind: Kind, tiny_model: Path) -> None:
    readout = load(tiny_model, kind, CONFIG, pad_id=1)
    outputs = readout(torch.tensor([[5, 6, 7]]), torch.tensor([1]))
    vocabulary = readout.model.config.vocab_size
    assert outputs.shape == (1, vocabulary) and vocabulary > 256
    assert outputs.std() > 0
    assert readout.dropout.p == 0.0


def test_training_goes_on_from_a_judge_of_as_many_labels_only(tmp_path: Path, tiny_model: Path) -> None:
    readout = load(tiny_model, Kind.PAIRS, CONFIG, pad_id=1)
    with torch.no_grad():
        readout.model.score.weight.fill_(0.25)
    readout.model.save_pretrained(tmp_path)
    check_directory(tmp_path, Kind.OUTCOMES)
    taken = load(tmp_path, Kind.OUTCOMES, CONFIG, pad_id=1)
    assert taken.model.score.weight.unique().tolist() == [0.25]
    assert taken.model.config.id2label == {0: "right"}
    with pytest.raises(UserError, match=r"gives 1 number\(s\), 3 \(right, neutral, wrong\) are needed here"):
        check_directory(tmp_path, Kind.STEP_LABELS)
    with pytest.raises(UserError, match="is a reward model: a causal language model is needed here"):
        check_directory(tmp_path, Kind.PREFERENCES)
