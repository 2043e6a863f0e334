"""Training in one process, without DeepSpeed, Ray or micro-batches: what whole training runs are compared with."""

from __future__ import annotations

from dataclasses import replace

import torch

from search.formats.model_prompt import build_format
from train.config import TrainConfig
from train.data.batches import step_batches
from train.data.loading import load_samples
from train.data.model_tokenizer import load_tokenizer
from train.data.plan import PlanConfig, steps_per_epoch
from train.objectives import OBJECTIVES
from train.objectives.base import LossOptions
from train.trainer.launch import TrainTask, new_tags
from train.trainer.loop import learning_rate
from train.trainer.models import load_model
from train.trainer.reference_logprobs import reference_log_probs


def fit_in_one_process(config: TrainConfig, task: TrainTask) -> tuple[list[float], torch.nn.Module]:
    """Return losses and model of the same training in one process, without DeepSpeed, Ray or micro-batches."""
    objective = OBJECTIVES[task.objective]
    functions = objective.functions()
    step_format = build_format(task.prompt, task.initial_model)
    tags = new_tags(config, objective, step_format)
    samples, _ = load_samples(objective, task.initial_model, task.data, step_format, config.max_length, tags=tags)
    new_tokens = load_tokenizer(task.initial_model, tags=tags).new_tokens
    whole = config.model_copy(update={"zero_stage": 0})
    model = load_model(task.initial_model, objective.head, whole, samples.pad_id, new_tokens)
    order = PlanConfig(batch_size=config.batch_size, micro_batch_tokens=1_000_000, world_size=1, seed=task.seed)
    if samples.kind.needs_reference:
        samples = replace(samples, reference=reference_log_probs(model, samples, order, 0, torch.device("cpu")))
    model.train()
    optimizer = torch.optim.AdamW(model.parameters(), betas=config.betas, weight_decay=config.weight_decay)
    steps = steps_per_epoch(len(samples), config.batch_size) * config.epochs
    losses = []
    for step, (batch,) in enumerate(step_batches(samples, order, 0, 0, config.epochs)):
        optimizer.param_groups[0]["lr"] = learning_rate(step, steps, config)
        outputs = functions.prepare(model(batch.input_ids, batch.positions), batch.targets)
        loss = functions.loss(outputs, batch.targets, LossOptions()).mean()
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), config.gradient_clip)
        optimizer.step()
        losses.append(loss.item())
    return losses, model.model
