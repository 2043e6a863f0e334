"""An empty Hub cache, a stand-in for the Hub, and the files of a small model."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from huggingface_hub import constants

from search.problems.hub import absence_of_hub
from tests.fakes.hub import HubModel, read_files, serve_hub
from tests.fakes.tiny_model import make_empty_model

NAME = "me/tiny"
ServeModel = Callable[[HubModel], list[str]]


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty cache in place of the user's; no Hub is asked, and no token is known."""
    directory = tmp_path / "hub_cache"
    directory.mkdir()
    for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "no_token"))
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(directory))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    absence_of_hub.cache_clear()
    yield directory
    absence_of_hub.cache_clear()


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A directory with the files of a model whose weights are an empty safetensors file."""
    return make_empty_model(tmp_path / "model", architecture="Qwen2ForCausalLM")


@pytest.fixture
def files(model: Path) -> dict[str, bytes]:
    """The files of that model, and what its repository may hold beside them."""
    extra = {"README.md": b"card", "original/consolidated.00.pth": b"x" * 99, "pytorch_model.bin": b"y" * 99}
    return {**read_files(model), **extra}


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Iterator[ServeModel]:
    """A function that serves one model as NAME and returns the requests that come in."""
    with ExitStack() as stack:

        def begin(hub_model: HubModel) -> list[str]:
            endpoint, requests = stack.enter_context(serve_hub({NAME: hub_model}))
            use_endpoint(monkeypatch, endpoint)
            return requests

        yield begin


def use_endpoint(monkeypatch: pytest.MonkeyPatch, endpoint: str) -> None:
    """Point the Hub's library, which reads HF_ENDPOINT once when it is imported, to another Hub."""
    monkeypatch.setattr(constants, "ENDPOINT", endpoint)
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", endpoint + "/{repo_id}/resolve/{revision}/{filename}")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    absence_of_hub.cache_clear()
