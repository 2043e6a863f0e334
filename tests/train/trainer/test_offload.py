"""What is offloaded to the host is trained as it is without, on CPUs where both are the same memory."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from pydantic import ValidationError
from transformers import AutoModelForCausalLM

from search.formats.model_prompt import BUILT_IN_PROMPT
from tests.fakes.plain_training import fit_in_one_process
from train.config import TrainConfig
from train.trainer.job import TrainReport
from train.trainer.launch import TrainTask, fit
from train.trainer.worker import deepspeed_config

HOST = {"device": "cpu"}


@pytest.mark.parametrize(
    ("stage", "offload", "expected"),
    [
        (1, "none", {"stage": 1}),
        (1, "optimizer", {"stage": 1, "offload_optimizer": HOST}),
        (3, "optimizer_and_weights", {"stage": 3, "offload_optimizer": HOST, "offload_param": HOST}),
    ],
)
def test_deepspeed_is_told_what_to_offload(
    stage: int, offload: str, expected: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    config = TrainConfig.model_validate({"zero_stage": stage, "offload": offload})
    settings = deepspeed_config(config, 2)
    assert settings["zero_optimization"] == expected
    assert settings["optimizer"]["params"].get("fused", False) == (offload != "none")


def test_adam_is_fused_when_there_is_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert deepspeed_config(TrainConfig(), 1)["optimizer"]["params"]["fused"]


@pytest.mark.parametrize(("stage", "offload"), [(0, "optimizer"), (2, "optimizer_and_weights")])
def test_offload_is_refused_when_zero_does_not_split_it(stage: int, offload: str) -> None:
    with pytest.raises(ValidationError, match="needs zero_stage"):
        TrainConfig.model_validate({"zero_stage": stage, "offload": offload})


RUNS = [
    *(pytest.param(stage, "optimizer", marks=pytest.mark.thorough) for stage in (1, 2, 3)),
    (3, "optimizer_and_weights"),
]


@pytest.mark.slow
@pytest.mark.usefixtures("local_ray")
@pytest.mark.parametrize(("stage", "offload"), RUNS)
def test_offloaded_training_learns_the_same(
    stage: int, offload: str, tmp_path: Path, tiny_model: Path, sft_file: Path
) -> None:
    settings = {"zero_stage": stage, "offload": offload, "precision": "fp32", "learning_rate": 3e-3, "batch_size": 8}
    layout = {"workers": 2, "cpus_per_worker": 1, "micro_batch_tokens": 320, "log_every": 1}
    config = TrainConfig.model_validate(settings | layout)
    task = TrainTask(
        objective="sft",
        initial_model=tiny_model,
        data=(sft_file,),
        prompt=BUILT_IN_PROMPT,
        output=tmp_path / "out",
        work_directory=tmp_path / "work",
        seed=5,
        name="sft",
    )
    reports: list[TrainReport] = []
    result = fit(config, task, reports.append)
    losses, model = fit_in_one_process(config, task)
    assert [report.loss for report in reports] == pytest.approx(losses, abs=1e-4)
    exported, expected = AutoModelForCausalLM.from_pretrained(result.output).state_dict(), model.state_dict()
    assert max(float((exported[name] - expected[name]).abs().max()) for name in expected) < 1e-4
