"""Whole training runs on Ray Train and DeepSpeed, compared with a plain PyTorch loop in one process."""

from __future__ import annotations

import os
import signal
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
import torch
from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification, AutoTokenizer

from search.errors import UserError
from search.formats.code_format import CODE_TAGS
from search.formats.model_prompt import BUILT_IN_PROMPT, read_model_prompt
from tests.fakes.plain_training import fit_in_one_process
from tests.fakes.tiny_architectures import make_architecture
from tests.fakes.tiny_model import make_tokenizer
from train.config import TrainConfig
from train.objectives import OBJECTIVES
from train.trainer import launch
from train.trainer.job import TrainReport
from train.trainer.launch import TrainTask, fit

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("local_ray")]

# Two micro-batches a rank and step; the last step of an epoch is smaller than the others.
CONFIG = TrainConfig(
    epochs=2,
    batch_size=8,
    micro_batch_tokens=320,
    learning_rate=3e-3,
    precision="fp32",
    workers=2,
    log_every=1,
    cpus_per_worker=1,
)


def make_task(objective: str, init: Path, data: Path, tmp_path: Path) -> TrainTask:
    return TrainTask(
        objective=objective,
        initial_model=init,
        data=(data,),
        prompt=BUILT_IN_PROMPT,
        output=tmp_path / "out",
        work_directory=tmp_path / "work",
        seed=5,
        name=objective,
    )


def largest_difference(a: torch.nn.Module, b: torch.nn.Module) -> float:
    weights, others = a.state_dict(), b.state_dict()
    assert weights.keys() == others.keys()
    return max(float((weights[name].float() - others[name].float()).abs().max()) for name in weights)


@pytest.mark.parametrize("stage", [*(pytest.param(stage, marks=pytest.mark.thorough) for stage in (1, 2)), 3])
def test_two_workers_train_as_one_process(stage: int, tmp_path: Path, tiny_model: Path, sft_file: Path) -> None:
    config = CONFIG.model_copy(update={"zero_stage": stage})
    task = make_task("sft", tiny_model, sft_file, tmp_path)
    reports: list[TrainReport] = []
    result = fit(config, task, reports.append)
    losses, model = fit_in_one_process(config, task)
    assert [report.step for report in reports] == [1, 2, 3, 4, 5, 6]
    assert [report.loss for report in reports] == pytest.approx(losses, abs=1e-4)
    assert losses[-1] < losses[0] - 0.1
    assert (result.steps, result.epochs, result.samples) == (6, 2, 22)
    assert result.final_loss == pytest.approx(losses[-1], abs=1e-4)
    exported = AutoModelForCausalLM.from_pretrained(result.output)
    assert largest_difference(exported, model) < 1e-4
    text = "x1 = 3<end_of_step>"
    ids = AutoTokenizer.from_pretrained(result.output)(text)["input_ids"]
    assert ids == AutoTokenizer.from_pretrained(tiny_model)(text)["input_ids"]
    assert read_model_prompt(result.output) == BUILT_IN_PROMPT
    assert list((tmp_path / "work" / "tensorboard").rglob("events.out.tfevents.*"))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "work"]
    if stage == 3:
        assert fit(config, task).steps == 6  # complete already: returns without training
        with pytest.raises(UserError, match="exists and was not made by this training run"):
            fit(config.model_copy(update={"epochs": 3}), task)


# In `make test` SFT at stage 3 and a reward head; every objective at every stage in `make thorough`.
RUNS = [pytest.param(name, stage, marks=pytest.mark.thorough) for name in OBJECTIVES for stage in (1, 2, 3)]


@pytest.mark.parametrize(("name", "stage"), RUNS)
def test_two_workers_train_as_one_process_for_every_objective(
    name: str, stage: int, tmp_path: Path, tiny_model: Path, data: dict[str, Path]
) -> None:
    config = CONFIG.model_copy(update={"zero_stage": stage, "epochs": 7})
    task = make_task(name, tiny_model, data[name], tmp_path)
    reports: list[TrainReport] = []
    result = fit(config, task, reports.append)
    losses, model = fit_in_one_process(config, task)
    assert read_model_prompt(result.output) == replace(BUILT_IN_PROMPT, reward_kind=OBJECTIVES[name].reward_model)
    assert len(reports) == result.steps == len(losses) == 21
    assert [report.loss for report in reports] == pytest.approx(losses, abs=1e-4)
    assert list(result.metrics) == list(OBJECTIVES[name].functions().metrics)
    head = OBJECTIVES[name].head
    exported = (AutoModelForSequenceClassification if head else AutoModelForCausalLM).from_pretrained(result.output)
    assert not head or exported.config.id2label == dict(enumerate(head))
    assert largest_difference(exported, model) < 1e-4


@pytest.mark.thorough
@pytest.mark.parametrize(("architecture", "objective"), [("gemma2", "sft"), ("llama", "sft"), ("qwen3", "ppm")])
def test_tags_become_tokens_as_in_one_process(
    architecture: str, objective: str, tmp_path: Path, data: dict[str, Path]
) -> None:
    init = make_architecture(tmp_path / "init", architecture, make_tokenizer(tags=()), max_position_embeddings=512)
    config = CONFIG.model_copy(update={"zero_stage": 3, "tag_tokens": True})
    task = make_task(objective, init, data[objective], tmp_path)
    reports: list[TrainReport] = []
    result = fit(config, task, reports.append)
    losses, model = fit_in_one_process(config, task)
    assert [report.loss for report in reports] == pytest.approx(losses, abs=1e-4)
    head = OBJECTIVES[objective].head
    exported = (AutoModelForSequenceClassification if head else AutoModelForCausalLM).from_pretrained(result.output)
    assert largest_difference(exported, model) < 1e-4
    tokenizer = AutoTokenizer.from_pretrained(result.output)
    assert exported.get_input_embeddings().num_embeddings == len(tokenizer)
    assert set(CODE_TAGS) <= set(tokenizer.get_vocab()) - set(AutoTokenizer.from_pretrained(init).get_vocab())


def _worker_pid() -> int:
    for process in psutil.Process().children(recursive=True):
        if "RayTrainWorker" in "".join(process.cmdline()):
            return process.pid
    raise AssertionError("no Ray Train worker found to kill")


@pytest.mark.parametrize(("name", "accuracy"), [("ppm", 1.0), pytest.param("dpo", 0.8, marks=pytest.mark.thorough)])
def test_training_resumes_when_a_worker_is_killed(
    name: str,
    accuracy: float,
    tmp_path: Path,
    tiny_model: Path,
    data: dict[str, Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(launch, "POLL_S", 0.01)  # the kill is to come before the next checkpoint
    config = CONFIG.model_copy(update={"zero_stage": 2, "epochs": 4, "checkpoint_every": 8})
    task = make_task(name, tiny_model, data[name], tmp_path)
    reports: list[TrainReport] = []
    victim: list[int] = []

    def kill_once(report: TrainReport) -> None:
        reports.append(report)
        if not victim:
            victim.append(_worker_pid())
        if report.step == 9 and [r.step for r in reports].count(9) == 1:
            os.kill(victim[0], signal.SIGKILL)

    result = fit(config, task, kill_once)
    losses, model = fit_in_one_process(config, task)
    assert [report.step for report in reports].count(9) == 2  # taken up again after the checkpoint at step 8
    assert {report.step: report.loss for report in reports} == pytest.approx(dict(enumerate(losses, 1)), abs=1e-4)
    assert result.final_loss == pytest.approx(losses[-1], abs=1e-4)
    assert result.metrics["pair_accuracy"] >= accuracy
    cls = AutoModelForSequenceClassification if name == "ppm" else AutoModelForCausalLM
    exported = cls.from_pretrained(result.output)
    assert type(exported).__name__ == f"Qwen2For{'SequenceClassification' if name == 'ppm' else 'CausalLM'}"
    assert largest_difference(exported, model) < 1e-4


@pytest.mark.thorough
def test_training_begins_anew_when_its_layout_differs(
    tmp_path: Path, tiny_model: Path, sft_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(launch, "POLL_S", 0.01)
    two = CONFIG.model_copy(update={"zero_stage": 2, "epochs": 4, "checkpoint_every": 4, "max_failures": 0})
    task, reports = make_task("sft", tiny_model, sft_file, tmp_path), list[TrainReport]()

    def kill(report: TrainReport) -> None:
        if report.step == 6:
            os.kill(_worker_pid(), signal.SIGKILL)

    with pytest.raises(launch.TrainingFailed):
        fit(two, task, kill)
    one = two.model_copy(update={"workers": 1, "zero_stage": 1, "micro_batch_tokens": 640})
    result = fit(one, task, reports.append)
    losses, model = fit_in_one_process(one, task)
    assert [report.step for report in reports] == list(range(1, 13))  # not from the checkpoint of two workers
    assert [report.loss for report in reports] == pytest.approx(losses, abs=1e-4)
    assert largest_difference(AutoModelForCausalLM.from_pretrained(result.output), model) < 1e-4
    assert list((tmp_path / "work" / launch.CHECKPOINTS).glob("*/*")) == []
    assert fit(two, task).steps == 12  # complete already, however it was laid out
