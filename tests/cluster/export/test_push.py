"""Pushing an exported directory to a Hub: a new repository, an existing one, tokens that will not do."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from huggingface_hub import constants

from cluster.export.hub import check_access, push
from search.errors import UserError
from tests.fakes.hub_server import READ_ONLY_TOKEN, TOKEN, HubServer, Repository, hub_server

NAME = "ada/model"


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[HubServer]:
    """A Hub as HF_ENDPOINT, which the library reads once, names it; HF_TOKEN is that of a writer."""
    with hub_server() as server:
        monkeypatch.setattr(constants, "ENDPOINT", server.endpoint)
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)  # its storage is no part of the stub
        monkeypatch.setenv("HF_TOKEN", TOKEN)
        yield server


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    (tmp_path / "README.md").write_text("---\nlibrary_name: transformers\n---\n# model\n")
    (tmp_path / "model.safetensors").write_bytes(b"weights" * 100)
    return tmp_path


def test_push_creates_the_repository_in_one_commit(hub: HubServer, directory: Path) -> None:
    assert check_access(NAME) == "ada"
    url, is_new = push(directory, NAME, private=True, message="Export")
    repository = hub.repositories[NAME]
    assert is_new and url.startswith(f"{hub.endpoint}/{NAME}/commit/")
    assert repository.private and repository.commits == ["Export"]
    assert repository.files == {file.name: file.read_bytes() for file in directory.iterdir()}


def test_push_adds_a_commit_to_an_existing_repository(hub: HubServer, directory: Path) -> None:
    old = {"model-00001-of-00002.safetensors": b"old", "README.md": b"old", "notes.txt": b"kept"}
    hub.repositories[NAME] = Repository(files=dict(old), commits=["first"])
    _, is_new = push(directory, NAME, private=False, message="Export")
    repository = hub.repositories[NAME]
    assert not is_new and repository.commits == ["first", "Export"]
    assert repository.files == {file.name: file.read_bytes() for file in directory.iterdir()} | {"notes.txt": b"kept"}


def test_push_is_refused_when_the_token_is_unknown(hub: HubServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_nobody")
    with pytest.raises(UserError, match=f"{hub.endpoint} refuses the token .*: set HF_TOKEN"):
        check_access(NAME)
    assert hub.repositories == {}


def test_push_is_refused_when_the_token_may_only_read(
    hub: HubServer, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", READ_ONLY_TOKEN)
    check_access(NAME)
    with pytest.raises(UserError, match=f"give a token that may write to {NAME}; the model is complete in {directory}"):
        push(directory, NAME, private=False, message="Export")
    assert hub.repositories == {}


def test_push_is_refused_when_the_hub_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    with pytest.raises(UserError, match=r"http://127.0.0.1:9 cannot be reached .*: leave it out"):
        check_access(NAME)


@pytest.mark.parametrize("name", ["model", "a/b/c", f"{NAME}@main"])
def test_push_is_refused_when_the_name_is_none(name: str) -> None:
    with pytest.raises(UserError, match="a name on the Hub is needed, as OWNER/NAME"):
        check_access(name)
