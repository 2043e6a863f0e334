"""Reward heads of every family: what vLLM serves equals transformers' own forward pass, and what it cannot serve is named.

The models are tiny and random, saved as training saves them. All of them are scored in one process (score_models.py).
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from search.reward_models import RewardModelKind
from tests.fakes.public_models import adapter_for, solution_states
from tests.fakes.tiny_architectures import tiny_config
from tests.fakes.tiny_model import make_tokenizer

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

ROOT = Path(__file__).parents[3]
SIZES = {"hidden_size": 64, "num_attention_heads": 2, "num_key_value_heads": 1, "max_position_embeddings": 1024}
# Heads of 32 are the smallest that vLLM's attention on a CPU has; windows are shorter than a solution.
FAMILIES: dict[str, dict[str, Any]] = {
    "gemma3_text": {"head_dim": 32, "query_pre_attn_scalar": 32},
    "llama": {},
    "qwen3": {"head_dim": 32},
    "gemma2": {"head_dim": 32, "query_pre_attn_scalar": 32},
    "phi3": {},
    "mistral": {},
    "olmo2": {},
    "glm4": {"head_dim": 32},
    "gpt_neox": {"num_key_value_heads": 2},
}
FAST = ("gemma3_text", "llama")
NAMES = [name if name in FAST else pytest.param(name, marks=pytest.mark.thorough) for name in FAMILIES]


def make_head(directory: Path, family: str) -> list[float]:
    """Write a model with one output named "reward"; return its logits of the states of ``solution_states``."""
    import torch
    from transformers import AutoModelForSequenceClassification

    torch.manual_seed(0)
    tokenizer = make_tokenizer()
    config = tiny_config(family, tokenizer, **SIZES, **FAMILIES[family])
    config.num_labels, config.id2label, config.label2id = 1, {0: "reward"}, {"reward": 0}
    config.pad_token_id = tokenizer.pad_token_id
    model = AutoModelForSequenceClassification.from_config(config, dtype=torch.float32, attn_implementation="eager")
    torch.nn.init.normal_(model.score.weight, std=0.3)
    model.eval().save_pretrained(directory)
    tokenizer.save_pretrained(directory)
    adapter = adapter_for(directory, RewardModelKind.PPM)
    logits = []
    for state in solution_states():
        text = "".join(piece if isinstance(piece, str) else piece[0] for piece in adapter.render(state).pieces)
        with torch.no_grad():
            logits.append(model(input_ids=torch.tensor([tokenizer.encode(text)])).logits.item())
    return logits


@pytest.fixture(scope="module")
def served(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> dict[str, tuple[list[float], list[float]]]:
    """By family: the logits that the engine gave, and those of transformers."""
    root = tmp_path_factory.mktemp("heads")
    mine = [item for item in request.session.items if item.path == request.path and hasattr(item, "callspec")]
    wanted = {item.callspec.params["family"] for item in mine}
    expected = {family: make_head(root / family, family) for family in FAMILIES if family in wanted}
    file = root / "cases.json"
    file.write_text(json.dumps([{"directory": str(root / family), "kind": "ppm"} for family in expected]))
    command = [sys.executable, "-m", "tests.actors.engines.score_models", str(file)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=800)
    assert done.returncode == 0, done.stderr[-4000:]
    results = json.loads(done.stdout.splitlines()[-1])
    return {
        family: (result["singly"], logits) for (family, logits), result in zip(expected.items(), results, strict=True)
    }


@pytest.mark.parametrize("family", NAMES)
def test_reward_head_is_served_as_transformers_computes_it(
    served: dict[str, tuple[list[float], list[float]]], family: str
) -> None:
    logits, expected = served[family]
    assert logits == pytest.approx(expected, abs=1e-4)
    assert max(expected) - min(expected) > 0.01  # the test says something only if scores differ
