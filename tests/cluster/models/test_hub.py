"""Models from a stand-in for the Hub: downloaded once, refused in one line, the cache where it does not answer."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
from huggingface_hub import constants

from cluster.models import hub
from cluster.models.hub import fetch
from cluster.models.resolve import resolve
from cluster.models.snapshot import ModelUnavailable, needed_files
from search.errors import UserError
from tests.cluster.models.conftest import NAME, ServeModel, use_endpoint
from tests.fakes.hub import COMMIT, OTHER_COMMIT, HubModel, lay_out_cache


def test_needed_files_are_downloaded_once(
    serve: ServeModel, files: dict[str, bytes], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    requests = serve(HubModel(files | {"tokenizer_config.json": b'{"eos_token": "x"}'}))  # equal files are fetched once
    resolved = resolve("policy.path", NAME)
    assert resolved.commit == COMMIT
    names = {file.name for file in resolved.directory.iterdir()}
    assert names == {"config.json", "tokenizer.json", "tokenizer_config.json", "model.safetensors"}
    assert f"raystar: policy.path: downloading {NAME} at c0ffee00: 4 files, 0.00 GB" in capsys.readouterr().err
    downloads = len([request for request in requests if request.startswith("GET /me/tiny/resolve/")])
    assert downloads == 4
    assert resolve("policy.path", NAME).directory == resolved.directory
    assert len([request for request in requests if request.startswith("GET /me/tiny/resolve/")]) == 4
    del requests[:]
    assert resolve("policy.path", f"{NAME}@{COMMIT}").directory == resolved.directory
    assert requests == []  # a commit in the cache needs no Hub
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    hub.absence_of_hub.cache_clear()
    assert resolve("policy.path", NAME).commit == COMMIT


def test_description_fetches_no_weights(serve: ServeModel, files: dict[str, bytes]) -> None:
    requests = serve(HubModel(files))
    snapshot = fetch("--model", NAME, None, weights=False)
    assert not (snapshot.directory / "model.safetensors").exists()
    assert snapshot.elements == {"F32": 12}
    assert not any("model.safetensors" in request for request in requests)
    assert (fetch("--model", NAME, None).directory / "model.safetensors").exists()


def test_branch_is_the_commit_that_the_hub_says(serve: ServeModel, files: dict[str, bytes]) -> None:
    serve(HubModel(files, refs={"main": COMMIT, "v2": OTHER_COMMIT}))
    assert resolve("policy.path", f"{NAME}@v2").commit == OTHER_COMMIT
    with pytest.raises(UserError, match=rf"^policy.path: {NAME} has no revision 'v3' on http://127"):
        resolve("policy.path", f"{NAME}@v3")


def test_unknown_name_is_refused(serve: ServeModel, files: dict[str, bytes], cache: Path) -> None:
    serve(HubModel(files))
    with pytest.raises(UserError, match=r"^--model: http://127.* has no model me/other, or it is private or gated"):
        resolve("--model", "me/other")
    assert list(cache.iterdir()) == []


def test_token_of_the_environment_is_used(
    serve: ServeModel, files: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    serve(HubModel(files, token="hf_right"))
    with pytest.raises(
        UserError, match=r"has no model me/tiny, or it is private or gated: .* or set HF_TOKEN to a token with access"
    ):
        resolve("policy.path", NAME)
    monkeypatch.setenv("HF_TOKEN", "hf_wrong")
    with pytest.raises(UserError, match=r"^policy.path: http://127.* refuses access to me/tiny: set HF_TOKEN"):
        resolve("policy.path", NAME)
    monkeypatch.setenv("HF_TOKEN", "hf_right")
    assert resolve("policy.path", NAME).commit == COMMIT


def test_hub_that_is_not_there_leaves_the_cache(
    cache: Path, files: dict[str, bytes], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        use_endpoint(monkeypatch, f"http://127.0.0.1:{unused.getsockname()[1]}")
        with pytest.raises(
            ModelUnavailable, match=r"^policy.path: http://127.* cannot be reached \(.*refused\), and me/tiny"
        ):
            resolve("policy.path", NAME)
        lay_out_cache(cache, NAME, files)
        assert resolve("policy.path", NAME).commit == COMMIT
    assert "me/tiny at c0ffee00 comes from the local cache" in capsys.readouterr().err


def test_hub_that_falls_silent_is_given_up(
    serve: ServeModel, files: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub, "METADATA_S", 0.2)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        use_endpoint(monkeypatch, f"http://127.0.0.1:{silent.getsockname()[1]}")
        monkeypatch.setattr(hub, "absence_of_hub", lambda endpoint, offline: None)
        with pytest.raises(ModelUnavailable, match="gives no usable answer"):
            resolve("policy.path", NAME)


def test_truncated_download_is_refused(serve: ServeModel, files: dict[str, bytes]) -> None:
    serve(HubModel(files | {"model.safetensors": (99).to_bytes(8, "little") + b"{}"}))
    with pytest.raises(UserError, match=r"^policy.path: .*model.safetensors is truncated: its header is cut off"):
        resolve("policy.path", NAME)


@pytest.mark.parametrize(
    ("weights", "needed"),
    [
        (["model.safetensors", "pytorch_model.bin", "model.fp16.safetensors"], ["model.safetensors"]),
        (
            ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors", "model.safetensors.index.json",
             "consolidated.safetensors", "pytorch_model.bin.index.json"],
            ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors", "model.safetensors.index.json"],
        ),
        (["consolidated.safetensors"], ["consolidated.safetensors"]),
        (["pytorch_model-00001-of-00001.bin", "pytorch_model.bin.index.json", "training_args.bin", "optimizer.pt"],
         ["pytorch_model-00001-of-00001.bin", "pytorch_model.bin.index.json"]),
        (["model.safetensors", "value_head.safetensors"], ["model.safetensors", "value_head.safetensors"]),
        (["q4.gguf", "onnx/model.onnx", "original/consolidated.00.pth"], []),
    ],
)  # fmt: skip
def test_each_weight_is_needed_once(weights: list[str], needed: list[str]) -> None:
    small = ["config.json", "tokenizer.model", "merges.txt", "chat_template.jinja", "modeling_own.py"]
    small.append("additional_chat_templates/tool_use.jinja")
    others = ["README.md", ".gitattributes", "original/params.json", "figure.png", "onnx/config.json"]
    assert sorted(needed_files([*weights, *small, *others])) == sorted([*needed, *small])
    assert sorted(needed_files([*weights, *small, *others], weights=False)) == sorted(small)
