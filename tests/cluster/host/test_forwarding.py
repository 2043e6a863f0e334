"""Variables are forwarded by name, set in worker processes only where they are not set, and forgotten by executors."""

from __future__ import annotations

import os

import pytest

from actors.forwarded import NAMES, forget_forwarded
from cluster.host.forwarding import DEFAULT_NAMES, HOOK, forwarding_hook, select_variables


def test_variables_are_selected_by_name_and_pattern() -> None:
    environment = {"HF_TOKEN": "a", "NCCL_DEBUG": "INFO", "NCCL_EMPTY": "", "HOME": "/root", "MY_HF_TOKEN": "b"}
    assert select_variables(DEFAULT_NAMES, environment) == {"HF_TOKEN": "a", "NCCL_DEBUG": "INFO"}
    assert select_variables((), environment) == {}


def test_hook_sets_variables_that_the_machine_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HF_TOKEN", raising=False)
    monkeypatch.setenv("NCCL_DEBUG", "WARN")
    monkeypatch.setenv(NAMES, "")
    hook = forwarding_hook({"HF_TOKEN": "secret", "NCCL_DEBUG": "INFO"})
    hook[HOOK]()
    assert (os.environ["HF_TOKEN"], os.environ["NCCL_DEBUG"]) == ("secret", "WARN")
    forget_forwarded()
    assert not {"HF_TOKEN", "NCCL_DEBUG", NAMES} & os.environ.keys()


def test_no_hook_is_installed_when_nothing_is_forwarded() -> None:
    assert forwarding_hook({}) == {}


def test_forgetting_changes_nothing_when_nothing_was_forwarded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(NAMES, raising=False)
    before = dict(os.environ)
    forget_forwarded()
    assert dict(os.environ) == before
