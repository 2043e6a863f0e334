"""Training on trees equals training on single sequences: the loss and every parameter's gradient."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from search.seeds import derive
from tests.fakes.tiny_architectures import make_architecture
from train.config import TrainConfig
from train.data.batches import collate
from train.data.plan import Packing, PlanConfig, plan_epoch
from train.data.tokenized import TokenizedRow, TokenizedSet, pack
from train.objectives import OBJECTIVES, SampleKind
from train.objectives.base import LossOptions
from train.trainer.models import ModelWithHead, load_model
from train.trainer.tree_attention import takes_trees

CONFIG = TrainConfig(precision="fp32", zero_stage=0)
PAD = 1
TOLERANCE = 1e-4
ARCHITECTURES = (
    "llama",
    "qwen2",
    "gemma3_text",
    *(pytest.param(n, marks=[pytest.mark.slow, pytest.mark.thorough]) for n in ("qwen3", "gemma2", "phi3", "mistral")),
)
OBJECTIVE_NAMES = ("sft", "dpo", "dpo_nll", "ppm", "q_regression", "prm", "orm")


def texts(problem: int, rng: np.random.Generator) -> list[list[int]]:
    """Return six solutions of a problem: a prompt of 24 tokens, then branches that share some of their steps."""
    prompt = rng.integers(2, 250, size=24).tolist()
    first = [rng.integers(2, 250, size=9).tolist() for _ in range(2)]
    return [prompt + first[i % 2] + rng.integers(2, 250, size=5 + i).tolist() for i in range(6)]


def make_samples(kind: SampleKind) -> TokenizedSet:
    """Return the units of four problems: longer, as trees and as sequences, than the sliding window of Gemma (16)."""
    rows, problems = list[TokenizedRow](), list[str]()
    for problem in range(4):
        rng = np.random.default_rng(derive(problem, "texts") % 2**32)
        for number, tokens in enumerate(texts(problem, rng)):
            targets = [i >= 24 for i in range(len(tokens))]
            if kind in (SampleKind.STEP_VALUES, SampleKind.STEP_LABELS):
                targets = [i in (32, len(tokens) - 1) for i in range(len(tokens))]
            labels = [tuple(rng.dirichlet(np.ones(kind.labels)) if kind.labels > 1 else rng.uniform(0, 1, 1))]
            rows.append(TokenizedRow(tokens, targets, labels * sum(targets) if kind.labels else []))
            if number % kind.width == 0:
                problems.append(f"problem {problem}")
    samples = pack(kind, rows, PAD, problems)
    if kind.needs_reference:
        return replace(samples, reference=np.full(len(rows), -20.0, dtype=np.float32))
    return samples


def step(
    model: ModelWithHead, samples: TokenizedSet, objective: str, packing: Packing, workers: int = 1
) -> tuple[float, dict[str, torch.Tensor]]:
    """Return loss and gradients of one optimizer step over all units on the model's device, those of all workers summed."""
    functions = OBJECTIVES[objective].functions()
    order = PlanConfig(batch_size=100, micro_batch_tokens=200, world_size=workers, seed=0, packing=packing)
    items = int(samples.items().sum())
    model.zero_grad()
    total = 0.0
    (plan,) = plan_epoch(samples, order, 0)
    for units in (units for micro in plan for units in micro):
        batch = collate(samples, units, items, order.packing).to(next(model.parameters()).device)
        outputs = functions.prepare(model(batch.input_ids, batch.positions, batch.trees), batch.targets)
        loss = (functions.loss(outputs, batch.targets, LossOptions()) * batch.weights).sum()
        loss.backward()
        total += loss.item()
    return total, {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("objective", OBJECTIVE_NAMES)
def test_trees_give_the_gradients_of_single_sequences(architecture: str, objective: str, tmp_path: Path) -> None:
    make_architecture(tmp_path, architecture)
    entry = OBJECTIVES[objective]
    samples = make_samples(entry.samples)
    config = CONFIG.model_copy(update={"gradient_checkpointing": architecture == "qwen2"})
    model = load_model(tmp_path, entry.head, config, PAD).train()
    loss, gradients = step(model, samples, objective, "none")
    tree_loss, tree_gradients = step(model, samples, objective, "tree", workers=2)
    assert tree_loss == pytest.approx(loss, rel=TOLERANCE)
    assert tree_gradients.keys() == gradients.keys() and gradients
    for name, gradient in gradients.items():
        error = (tree_gradients[name] - gradient).norm() / gradient.norm().clamp_min(1e-8)
        assert error < TOLERANCE, f"{name}: {error}"


@pytest.mark.parametrize("architecture", ["llama", "gemma3_text", "gemma2"])
def test_model_takes_trees_when_its_attention_is_masked(architecture: str, tmp_path: Path) -> None:
    make_architecture(tmp_path, architecture)
    assert takes_trees(load_model(tmp_path, (), CONFIG, PAD).eval(), torch.device("cpu"))


def test_model_takes_no_trees_when_it_leaves_the_mask_out(tmp_path: Path) -> None:
    make_architecture(tmp_path, "llama")
    model = load_model(tmp_path, (), CONFIG, PAD).eval()
    assert not takes_trees(lambda ids, positions, trees=None: model(ids, positions), torch.device("cpu"))
