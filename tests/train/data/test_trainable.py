"""What cannot be trained is refused by its config, with the reason."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from search.errors import UserError
from train.data.trainable import check_trainable

LLAMA = {"model_type": "llama", "architectures": ["LlamaForCausalLM"]}
GRANITE = {"model_type": "granite", "architectures": ["GraniteForCausalLM"]}
REMOTE = {"model_type": "internlm2", "architectures": ["InternLM2ForCausalLM"]}
CODE = {"auto_map": {"AutoModelForCausalLM": "modeling_internlm2.InternLM2ForCausalLM"}}
HEAD = ("reward",)


def write_config(directory: Path, config: dict[str, Any]) -> Path:
    (directory / "config.json").write_text(json.dumps(config))
    return directory


@pytest.mark.parametrize(
    ("config", "head", "reason"),
    [
        ({**LLAMA, "quantization_config": {"quant_method": "awq"}}, (), r"weights are quantized \(awq\)"),
        ({"model_type": "t5", "architectures": ["T5ForConditionalGeneration"]}, (), "an encoder with a decoder"),
        ({"model_type": "bart", "architectures": ["BartForConditionalGeneration"]}, HEAD, "an encoder with a decoder"),
        ({"model_type": "bert", "architectures": ["BertForMaskedLM"]}, HEAD, "reads a text in both directions"),
        ({"model_type": "clip", "architectures": ["CLIPModel"]}, (), "is no causal language model"),
        ({"model_type": "qwen2", "architectures": ["Qwen2ForProcessRewardModel"]}, (), "which has no language head"),
        (GRANITE, HEAD, "'granite' has no sequence classifier in transformers"),
        (REMOTE, (), r"transformers has no architecture 'internlm2' .* brings no AutoModelForCausalLM of its own"),
        ({**REMOTE, **CODE}, (), "read it, then set trust_remote_code"),
        ({**REMOTE, **CODE}, HEAD, "brings no AutoModelForSequenceClassification of its own"),
        ({}, (), "no architecture 'none'"),
    ],
)
def test_directory_is_refused_with_the_reason(
    config: dict[str, Any], head: tuple[str, ...], reason: str, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=reason) as refusal:
        check_trainable(write_config(tmp_path, config), head)
    assert str(tmp_path) in str(refusal.value) and "\n" not in str(refusal.value)


def test_adapter_without_its_model_is_refused(tmp_path: Path) -> None:
    (tmp_path / "adapter_config.json").write_text("{}")
    with pytest.raises(UserError, match="merge it into the model first"):
        check_trainable(tmp_path, ())


@pytest.mark.parametrize(
    ("config", "head"),
    [
        (LLAMA, ()),
        (LLAMA, HEAD),
        (GRANITE, ()),
        ({"model_type": "gemma3", "architectures": ["Gemma3ForConditionalGeneration"]}, HEAD),
        ({"model_type": "qwen2", "architectures": ["Qwen2ForProcessRewardModel"]}, HEAD),
    ],
)
def test_directory_is_accepted(config: dict[str, Any], head: tuple[str, ...], tmp_path: Path) -> None:
    check_trainable(write_config(tmp_path, config), head)


def test_trusted_code_is_accepted(tmp_path: Path) -> None:
    check_trainable(write_config(tmp_path, {**REMOTE, **CODE}), (), trust_remote_code=True)
