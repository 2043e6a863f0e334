"""A model that vLLM does not serve is refused before anything starts."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from cluster.models import architectures
from cluster.models.architectures import check_architecture, vllm_architectures, vllm_configs, vllm_suffixes
from search.errors import UserError


def write_config(directory: Path, name: str, **fields: Any) -> Path:
    (directory / "config.json").write_text(json.dumps({"architectures": [name], **fields}))
    return directory


def check(directory: Path, name: str, *, trust: bool = False, **fields: Any) -> None:
    check_architecture("policy.path", write_config(directory, name, **fields), trust_remote_code=trust)


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("Qwen2ForCausalLM", {"model_type": "qwen2"}),  # vLLM's own class
        ("Qwen2ForProcessRewardModel", {"model_type": "qwen2", "auto_map": {"AutoConfig": "a.B", "AutoModel": "m.C"}}),
        ("LlamaForSequenceClassification", {"model_type": "llama"}),  # by its language model
        ("Gemma3TextForSequenceClassification", {"model_type": "gemma3_text"}),  # by that of another name
        ("SmolLM3ForCausalLM", {"model_type": "smollm3"}),  # by transformers
        ("Qwen2ForPrmModel", {"model_type": "qwen2"}),  # by a class of RayStar
    ],
)
def test_an_architecture_that_vllm_serves_passes(tmp_path: Path, name: str, fields: dict[str, Any]) -> None:
    check(tmp_path, name, **fields)


@pytest.mark.parametrize(
    ("name", "fields", "message"),
    [
        ("FooForCausalLM", {"model_type": "foo"}, "the installed vLLM has no FooForCausalLM, which the model in"),
        ("CodeGenForCausalLM", {"model_type": "codegen"}, "has no CodeGenForCausalLM"),  # no choice of kernels
        ("T5ForConditionalGeneration", {"is_encoder_decoder": True}, "is an encoder with a decoder"),
        (
            "FooForCausalLM",
            {"auto_map": {"AutoModelForCausalLM": "foo.Foo"}},
            "Python code that the model brings: read it",
        ),
        (
            "LlamaForCausalLM",
            {"model_type": "foo", "auto_map": {"AutoConfig": "foo.FooConfig"}},
            "set engine.trust_remote_code=true",
        ),
    ],
)
def test_an_architecture_that_vllm_lacks_is_refused(
    tmp_path: Path, name: str, fields: dict[str, Any], message: str
) -> None:
    with pytest.raises(UserError, match=f"^policy.path: .*{message}"):
        check(tmp_path, name, **fields)


def test_trusted_code_of_the_model_decides_itself(tmp_path: Path) -> None:
    check(tmp_path, "FooForCausalLM", trust=True, auto_map={"AutoModelForCausalLM": "foo.Foo"})
    with pytest.raises(UserError, match="has no FooForCausalLM"):
        check(tmp_path, "FooForCausalLM", trust=True)


def test_nothing_is_checked_without_vllm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(architectures, "vllm_architectures", frozenset)
    check(tmp_path, "FooForCausalLM")


def test_tables_are_read_from_the_installed_source() -> None:
    assert vllm_suffixes()[0] == "ForCausalLM" and "ForSequenceClassification" in vllm_suffixes()
    assert "chatglm" in vllm_configs()


@pytest.mark.slow
def test_architectures_are_those_of_vllms_registry() -> None:
    code = "import json\nfrom vllm import ModelRegistry\nprint('NAMES', json.dumps(list(ModelRegistry.get_supported_archs())))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    line = next(line for line in result.stdout.splitlines() if line.startswith("NAMES "))
    assert vllm_architectures() == set(json.loads(line.removeprefix("NAMES ")))
