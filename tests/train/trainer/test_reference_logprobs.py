"""Log-probabilities of whole solutions under the model that training starts from, against transformers' own loss."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM

from search.formats.registry import CodeFormat
from train.config import TrainConfig
from train.data.batches import PlanConfig
from train.data.loading import load_samples
from train.data.tokenized import TokenizedSet
from train.objectives import Kind
from train.trainer.models import Readout, load
from train.trainer.reference_logprobs import reference

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def samples(tiny_model: Path, data: dict[str, Path]) -> TokenizedSet:
    return load_samples(Kind.PREFERENCES, tiny_model, (data["dpo"],), CodeFormat(), 1024)[0]


@pytest.fixture(scope="module")
def readout(tiny_model: Path, samples: TokenizedSet) -> Readout:
    return load(tiny_model, Kind.PREFERENCES, TrainConfig(precision="fp32", zero_stage=0), samples.pad_id)


def test_reference_is_what_transformers_computes_a_sequence(
    samples: TokenizedSet, readout: Readout, tiny_model: Path
) -> None:
    found = reference(readout, samples, PlanConfig(8, 320, 1, seed=5), 0, CPU)
    assert found.shape == (44,) and found.dtype == np.float32
    model = AutoModelForCausalLM.from_pretrained(tiny_model).eval()
    for row in range(44):
        begin, end = samples.starts[row : row + 2]
        ids = torch.from_numpy(samples.tokens[begin:end].astype(np.int64))[None]
        learnt = torch.from_numpy(samples.targets[begin:end])[None]
        labels = ids.masked_fill(~learnt, -100)
        with torch.no_grad():
            mean = model(input_ids=ids, labels=labels).loss.item()
        assert found[row] == pytest.approx(-mean * int(learnt.sum()), abs=1e-3)


def test_shares_of_the_ranks_add_up_to_what_one_process_computes(samples: TokenizedSet, readout: Readout) -> None:
    alone = reference(readout, samples, PlanConfig(8, 320, 1, seed=5), 0, CPU)
    shares = [reference(readout, samples, PlanConfig(8, 320, 3, seed=5), rank, CPU) for rank in range(3)]
    assert sum(shares) == pytest.approx(alone, abs=1e-3)
    assert all(np.count_nonzero(share) < 44 for share in shares)
    assert sum(np.count_nonzero(share) for share in shares) == 44


def test_reference_is_kept_with_the_samples(samples: TokenizedSet, readout: Readout, tmp_path: Path) -> None:
    found = reference(readout, samples, PlanConfig(8, 1024, 1, seed=5), 0, CPU)
    replace(samples, reference=found).save(tmp_path / "samples.npz")
    assert np.array_equal(TokenizedSet.load(tmp_path / "samples.npz").reference, found)
