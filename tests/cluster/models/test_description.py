"""What ``raystar models`` says of models with tokenizers and templates of the known families."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cluster.cli import main
from cluster.models.description import describe_model
from cluster.models.resolve import resolve
from search.errors import UserError
from tests.fakes.hub import COMMIT, lay_out_cache, read_files
from tests.fakes.tiny_model import make_empty_model, safetensors_bytes
from tests.fakes.token_families import FAMILIES

BY_NAME = {family.name: family for family in FAMILIES}


def make_model(path: Path, family: str, architecture: str = "LlamaForCausalLM", **config: object) -> Path:
    """Write a model of 12 weights with the tokenizer and template of a family."""
    make_empty_model(path, architecture=architecture)
    BY_NAME[family].save(path)
    fields = {"architectures": [architecture], "max_position_embeddings": 2048, **config}
    (path / "config.json").write_text(json.dumps(fields))
    (path / "model.safetensors").write_bytes(safetensors_bytes({"w": 12}))
    return path


@pytest.mark.parametrize(
    ("family", "tokenizer", "bos", "end_of_turn"),
    [
        ("qwen2.5", "byte-level BPE, ", None, ("<|im_end|>",)),
        ("llama-3", "byte-level BPE, ", "<|begin_of_text|>", ("<|eot_id|>",)),
        ("llama-2", "SentencePiece BPE with a space before every text, ", "<s>", ("</s>",)),
        ("gemma", "SentencePiece BPE, ", "<bos>", ("<end_of_turn>", "<eos>")),
        ("phi-3", "SentencePiece BPE with a space before every text, ", None, ("<|end|>", "<|endoftext|>")),
    ],
)
def test_policy_is_described_by_its_files(
    tmp_path: Path, family: str, tokenizer: str, bos: str | None, end_of_turn: tuple[str, ...]
) -> None:
    model = describe_model(resolve("model", str(make_model(tmp_path / "model", family))))
    assert (model.architecture, model.parameters, model.dtype) == ("LlamaForCausalLM", 12, "float32")
    assert (model.context, model.kind, model.format) == (2048, "policy", "chat")
    assert model.tokenizer.startswith(tokenizer)
    assert (model.bos, model.end_of_turn) == (bos, end_of_turn)
    assert model.prompt is not None and "What is 12 times 7, minus 9?" in model.prompt


def test_model_without_template_is_prompted_plainly(tmp_path: Path) -> None:
    directory = make_model(
        tmp_path / "model", "gemma", quantization_config={"quant_method": "gptq"}, auto_map={"a": "b"}
    )
    (directory / "chat_template.jinja").unlink()
    (directory / "generation_config.json").write_text('{"eos_token_id": 1}')
    model = describe_model(resolve("model", str(directory)))
    assert (model.has_chat_template, model.format) == (False, "plain")
    assert (model.quantization, model.needs_remote_code) == ("gptq", True)
    (directory / "tokenizer.json").write_text('{"version": "1.0", "model": {"type": "BPE"}}')
    with pytest.raises(UserError, match=r"tokenizer.json is damaged"):
        describe_model(resolve("model", str(directory)))


def test_config_that_transformers_refuses_is_one_line(tmp_path: Path) -> None:
    directory = make_model(tmp_path / "model", "qwen2.5", "LlamaForCausalLM", model_type="llama", eos_token_id="x")
    with pytest.raises(UserError, match=r"^transformers cannot read config and tokenizer in .*model: .*eos_token_id"):
        describe_model(resolve("model", str(directory)))


def test_command_prints_a_table_of_80_columns(tmp_path: Path, cache: Path, capsys: pytest.CaptureFixture[str]) -> None:
    directory = make_model(tmp_path / "model", "qwen2.5", "Qwen2ForCausalLM")
    lay_out_cache(cache, "me/tiny", read_files(directory))
    reward_model = make_model(
        tmp_path / "reward_model", "qwen2.5", "Qwen2ForSequenceClassification", id2label={"0": "reward"}
    )
    assert main(["models", "me/tiny", str(reward_model)]) == 0
    text = capsys.readouterr().out
    assert max(len(line) for line in text.splitlines() if line != str(reward_model)) <= 80  # a name stays whole
    for line in (
        f"  commit         {COMMIT}",
        "  architecture   Qwen2ForCausalLM",
        "  parameters     12",
        "  context        2,048 tokens",
        "  BOS            none",
        "  end of turn    <|im_end|>",
        "  chat template  yes",
        "  kind           policy",
        "    | <|im_start|>assistant",
        "  kind           ppm",
    ):
        assert line in text.splitlines()
    assert main(["models", "--json", str(reward_model)]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["kind"] == "ppm" and facts["directory"] == str(reward_model) and facts["prompt"] is None
