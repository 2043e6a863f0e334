"""A model directory is whole, or one line names what is not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cluster.models.directory import check_model, header_digest
from search.errors import UserError
from tests.fakes.tiny_model import safetensors_bytes

WHOLE = safetensors_bytes({"w": 12})
SHARDS = ("model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors")


def refusal(directory: Path) -> str:
    with pytest.raises(UserError) as caught:
        check_model("policy.path", directory)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("config.json", b'{"architectures": [', "config.json is damaged: "),
        ("config.json", b"", "config.json is damaged: "),
        ("config.json", b"[]", "config.json is damaged: a JSON object is needed"),
        ("config.json", b'{"model_type": "qwen2"}', "config.json names no architecture"),
        ("config.json", b'{"architectures": ["A"], "id2label": ["a"]}', "config.json is damaged: id2label must map 0, 1"),
        ("config.json", b'{"architectures": ["A"], "id2label": {"a": 0}}', "config.json is damaged: id2label must map 0, 1"),
        ("tokenizer.json", b'{"model": ', "tokenizer.json is damaged: "),
        ("model.safetensors", b"", "model.safetensors is damaged: it does not begin like a safetensors file"),
        ("model.safetensors", WHOLE[:-1], f"is truncated: it has {len(WHOLE) - 1} bytes and its header describes {len(WHOLE)}"),
        ("model.safetensors", WHOLE + b"x", f"is damaged: it has {len(WHOLE) + 1} bytes and its header describes {len(WHOLE)}"),
        ("model.safetensors", (9).to_bytes(8, "little") + b"not json.", "its header is not that of a safetensors file"),
    ],
)  # fmt: skip
def test_damaged_file_is_named(model: Path, file: str, content: bytes, message: str) -> None:
    check_model("policy.path", model)
    (model / file).write_bytes(content)
    line = refusal(model)
    assert line.startswith("policy.path: ") and message in line and str(model / file) in line


@pytest.mark.parametrize(
    ("missing", "message"),
    [
        ("config.json", "it has no config.json"),
        ("model.safetensors", "holds no weights"),
        ("tokenizer.json", "holds no tokenizer"),
    ],
)
def test_incomplete_directory_is_refused(model: Path, missing: str, message: str) -> None:
    (model / missing).unlink()
    assert message in refusal(model)


def test_link_to_deleted_weights_is_refused(model: Path) -> None:
    (model / "model.safetensors").unlink()
    (model / "model.safetensors").symlink_to(model / "nowhere")
    assert "model.safetensors cannot be read: No such file or directory" in refusal(model)


def test_adapter_is_told_from_a_model(model: Path) -> None:
    (model / "config.json").rename(model / "adapter_config.json")
    assert "holds an adapter without its model" in refusal(model)


def test_missing_shard_of_an_index_is_named(model: Path) -> None:
    (model / "model.safetensors").unlink()
    for shard in SHARDS:
        (model / shard).write_bytes(safetensors_bytes({"w": 2}))
    index = {"weight_map": {f"layer{number}": shard for number, shard in enumerate(SHARDS)}}
    (model / "model.safetensors.index.json").write_text(json.dumps(index))
    check_model("policy.path", model)
    (model / SHARDS[1]).unlink()
    assert f"1 of 2 weight files are missing, {SHARDS[1]} first" in refusal(model)
    (model / "model.safetensors.index.json").write_text("{}")
    assert "by model.safetensors.index.json, there are none" in refusal(model)


def test_digest_follows_config_tokenizer_and_headers(model: Path) -> None:
    digests = [header_digest(model)]
    for file, content in (
        ("config.json", b'{"architectures": ["LlamaForCausalLM"]}'),
        ("tokenizer.json", b'{"added_tokens": []}'),
        ("model.safetensors", safetensors_bytes({"w": 4})),
        ("chat_template.jinja", b"{{ messages }}"),
    ):
        (model / file).write_bytes(content)
        digests.append(header_digest(model))
    assert len(set(digests)) == 5
    (model / "README.md").write_text("card")
    (model / "model.safetensors").write_bytes(safetensors_bytes({"w": 4}, filler=b"\1"))
    assert header_digest(model) == digests[-1]  # it reads no weights
