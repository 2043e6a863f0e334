"""Training on one GPU: what differs there from the CPU. The whole file takes at most eight minutes on one card.

python -m pytest tests/gpu/test_training.py
"""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM

from tests.fakes.plain_training import fit_in_one_process
from tests.fakes.tiny_architectures import make_architecture
from tests.gpu.device import needs_gpu
from tests.train.trainer.test_fit import CONFIG, largest_difference, make_task
from tests.train.trainer.test_tree_attention import make_samples, step
from train.config import TrainConfig
from train.objectives import OBJECTIVES
from train.trainer.job import TrainReport
from train.trainer.launch import fit
from train.trainer.models import load_model
from train.trainer.tree_attention import takes_trees

pytestmark = [pytest.mark.slow, needs_gpu]

ON_GPU = CONFIG.model_copy(update={"workers": 1, "use_gpu": True, "cpus_per_worker": None})
EXACT, HALVES = 1e-4, 3e-2  # relative errors of gradients in float32 and in bfloat16


@pytest.mark.parametrize(("precision", "tolerance"), [("fp32", EXACT), ("bf16", HALVES)])
@pytest.mark.parametrize("architecture", ["llama", "qwen2", "gemma3_text"])
@pytest.mark.parametrize("objective", ["sft", "dpo", "ppm"])
def test_trees_give_the_gradients_of_sequences_on_a_gpu(
    architecture: str, objective: str, precision: str, tolerance: float, tmp_path: Path
) -> None:
    torch.backends.cuda.matmul.allow_tf32 = False
    make_architecture(tmp_path, architecture)
    entry = OBJECTIVES[objective]
    samples, config = make_samples(entry.samples), TrainConfig.model_validate({"precision": precision})
    model = load_model(tmp_path, entry.head, config, 1).to("cuda").train()
    loss, gradients = step(model, samples, objective, "none")
    tree_loss, tree_gradients = step(model, samples, objective, "tree")
    assert tree_loss == pytest.approx(loss, rel=tolerance)
    norm = sum(float(gradient.float().norm()) ** 2 for gradient in gradients.values()) ** 0.5
    error = sum(float((tree_gradients[n].float() - g.float()).norm()) ** 2 for n, g in gradients.items()) ** 0.5
    assert norm > 0
    assert error < tolerance * norm


@pytest.mark.parametrize("architecture", ["llama", "gemma3_text"])
def test_model_takes_trees_on_a_gpu(architecture: str, tmp_path: Path) -> None:
    make_architecture(tmp_path, architecture)
    model = load_model(tmp_path, (), TrainConfig(precision="bf16"), 1).to("cuda").eval()
    assert takes_trees(model, torch.device("cuda"))


@pytest.mark.usefixtures("local_ray")
@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"zero_stage": 1}, id="stage 1"),
        pytest.param({"zero_stage": 2, "gradient_checkpointing": True}, id="stage 2, checkpointing"),
        pytest.param({"zero_stage": 3}, id="stage 3"),
        pytest.param({"zero_stage": 3, "offload": "optimizer_and_weights"}, id="stage 3, offload"),
    ],
)
def test_gpu_trains_as_a_plain_loop_does(
    changes: dict[str, object], tmp_path: Path, tiny_model: Path, sft_file: Path
) -> None:
    config = TrainConfig.model_validate({**ON_GPU.model_dump(), **changes})
    task = make_task("sft", tiny_model, sft_file, tmp_path)
    reports: list[TrainReport] = []
    result = fit(config, task, reports.append)
    losses, model = fit_in_one_process(config, task)
    assert [report.loss for report in reports] == pytest.approx(losses, abs=1e-3)
    assert losses[-1] < losses[0] - 0.1
    assert largest_difference(AutoModelForCausalLM.from_pretrained(result.output), model) < 1e-3


@pytest.mark.usefixtures("local_ray")
def test_bf16_training_on_a_gpu_lowers_the_loss(tmp_path: Path, tiny_model: Path, sft_file: Path) -> None:
    config = ON_GPU.model_copy(update={"precision": "bf16", "epochs": 4})
    reports: list[TrainReport] = []
    result = fit(config, make_task("sft", tiny_model, sft_file, tmp_path), reports.append)
    assert result.precision == "bf16"
    assert reports[-1].loss < reports[0].loss - 0.1
