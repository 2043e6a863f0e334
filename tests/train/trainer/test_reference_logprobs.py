"""Log-probabilities of whole solutions under the model that training starts from, against transformers' own loss."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM

from search.formats.code_format import CodeFormat
from train.config import TrainConfig
from train.data.loading import load_samples
from train.data.plan import PlanConfig
from train.data.tokenized import TokenizedSet
from train.objectives import OBJECTIVES
from train.trainer.models import ModelWithHead, load_model
from train.trainer.reference_logprobs import reference_log_probs

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def samples(tiny_model: Path, data: dict[str, Path]) -> TokenizedSet:
    return load_samples(OBJECTIVES["dpo"], tiny_model, (data["dpo"],), CodeFormat(), 1024)[0]


@pytest.fixture(scope="module")
def model(tiny_model: Path, samples: TokenizedSet) -> ModelWithHead:
    return load_model(tiny_model, OBJECTIVES["dpo"].head, TrainConfig(precision="fp32", zero_stage=0), samples.pad_id)


def test_reference_equals_the_loss_of_transformers(
    samples: TokenizedSet, model: ModelWithHead, tiny_model: Path
) -> None:
    log_probs = reference_log_probs(
        model, samples, PlanConfig(batch_size=8, micro_batch_tokens=320, world_size=1, seed=5), 0, CPU
    )
    assert log_probs.shape == (44,) and log_probs.dtype == np.float32
    language_model = AutoModelForCausalLM.from_pretrained(tiny_model).eval()
    for row in range(44):
        begin, end = samples.starts[row : row + 2]
        ids = torch.from_numpy(samples.tokens[begin:end].astype(np.int64))[None]
        is_target = torch.from_numpy(samples.targets[begin:end])[None]
        labels = ids.masked_fill(~is_target, -100)
        with torch.no_grad():
            mean = language_model(input_ids=ids, labels=labels).loss.item()
        assert log_probs[row] == pytest.approx(-mean * int(is_target.sum()), abs=1e-3)


def test_shares_of_ranks_add_up_to_the_whole_reference(samples: TokenizedSet, model: ModelWithHead) -> None:
    whole = reference_log_probs(
        model, samples, PlanConfig(batch_size=8, micro_batch_tokens=320, world_size=1, seed=5), 0, CPU
    )
    shares = [
        reference_log_probs(
            model, samples, PlanConfig(batch_size=8, micro_batch_tokens=320, world_size=3, seed=5), rank, CPU
        )
        for rank in range(3)
    ]
    assert sum(shares) == pytest.approx(whole, abs=1e-3)
    assert all(np.count_nonzero(share) < 44 for share in shares)
    assert sum(np.count_nonzero(share) for share in shares) == 44


def test_reference_is_saved_with_the_samples(samples: TokenizedSet, model: ModelWithHead, tmp_path: Path) -> None:
    log_probs = reference_log_probs(
        model, samples, PlanConfig(batch_size=8, micro_batch_tokens=1024, world_size=1, seed=5), 0, CPU
    )
    replace(samples, reference=log_probs).save(tmp_path / "samples.npz")
    assert np.array_equal(TokenizedSet.load(tmp_path / "samples.npz").reference, log_probs)
