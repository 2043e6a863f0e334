"""The loop and the reference in one process, with plain PyTorch in DeepSpeed's place."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, distributed

from search.formats.code_format import CodeFormat
from search.formats.model_prompt import ModelPrompt
from train.config import TrainConfig
from train.data.batches import step_batches
from train.data.loading import load_samples
from train.data.plan import PlanConfig, plan_epoch
from train.data.tokenized import TokenizedSet
from train.objectives import OBJECTIVES
from train.trainer.job import TrainJob, TrainProgress, TrainReport
from train.trainer.loop import TrainPlan, train
from train.trainer.models import ModelWithHead, load_model
from train.trainer.worker import add_reference

CONFIG = TrainConfig(precision="fp32", zero_stage=0, learning_rate=3e-3, log_every=1, dpo_beta=0.2, nll_weight=0.5)


class PlainEngine:
    """The part of a DeepSpeed engine that the loop uses."""

    def __init__(self, model: ModelWithHead) -> None:
        self.model, self.device = model, torch.device("cpu")
        self.optimizer = torch.optim.AdamW(model.parameters(), betas=CONFIG.betas, weight_decay=0.0)
        self.train, self.eval = model.train, model.eval

    def __call__(self, *inputs: Tensor) -> Any:
        return self.model(*inputs)

    def set_gradient_accumulation_boundary(self, last: bool) -> None:
        pass

    def backward(self, loss: Tensor) -> None:
        loss.backward()

    def step(self) -> None:
        self.optimizer.step()
        self.optimizer.zero_grad()

    def get_global_grad_norm(self) -> float:
        return 0.0


@pytest.fixture
def one_process() -> Iterator[None]:
    distributed.init_process_group("gloo", store=distributed.HashStore(), rank=0, world_size=1)
    yield
    distributed.destroy_process_group()


@pytest.mark.usefixtures("one_process")
def test_dpo_nll_trains_from_its_reference_and_reports(tmp_path: Path, tiny_model: Path, data: dict[str, Path]) -> None:
    objective = OBJECTIVES["dpo_nll"]
    functions = objective.functions()
    samples, dropped = load_samples(objective, tiny_model, (data["dpo_nll"],), CodeFormat(), 1024)
    file = tmp_path / "samples.npz"
    samples.save(file)
    job = TrainJob(
        name="j",
        objective="dpo_nll",
        initial_model=tiny_model,
        samples=file,
        output=tmp_path / "out",
        work_directory=tmp_path,
        seed=5,
        threads=1,
        config=CONFIG,
        tags=(),
        prompt=ModelPrompt(format="code"),
        summary={"dropped": dropped},
    )
    engine = PlainEngine(load_model(tiny_model, objective.head, CONFIG, samples.pad_id))
    order = PlanConfig(batch_size=8, micro_batch_tokens=320, world_size=1, seed=5)

    referenced = add_reference(engine, samples, order, job)
    assert (
        np.array_equal(TokenizedSet.load(file).reference, referenced.reference) and (referenced.reference < -100).all()
    )
    assert add_reference(None, TokenizedSet.load(file), order, job).reference.tolist() == referenced.reference.tolist()

    reports: list[TrainReport] = []
    plan = TrainPlan(steps=6, save_every=0, seed=5, save=lambda progress: None, report=reports.append)
    progress = train(engine, step_batches(referenced, order, 0, 0, 2), functions, CONFIG, plan, TrainProgress())
    assert [report.step for report in reports] == [1, 2, 3, 4, 5, 6]
    first, last = reports[0], reports[-1]
    # Before the first step DPO costs log 2; the rest is half the chosen solutions' negative log-likelihood a token.
    units = np.concatenate([units for (units,) in plan_epoch(referenced, order, epoch=0)[0]])
    rows = referenced.rows(units)[0::2]
    lengths = [referenced.targets[referenced.starts[row] : referenced.starts[row + 1]].sum() for row in rows]
    likelihood = float(np.mean(referenced.reference[rows] / lengths))
    assert first.loss == pytest.approx(0.693147 - 0.5 * likelihood, abs=1e-4)
    assert first.metrics["chosen_log_probability"] == pytest.approx(float(referenced.reference[rows].mean()), abs=1e-2)
    assert last.loss < first.loss and last.metrics["reward_margin"] > 0.05
    assert progress.step == 6 and len(progress.history[0]) == 1 + len(functions.metrics)
