"""Data sets of the Hub: read by the datasets library, refused at once where no Hub answers."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from search.errors import UserError
from search.problems import hub
from search.problems.hub import Unreachable, absence_of_hub, hub_rows


@pytest.fixture(autouse=True)
def fresh_probe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    import datasets

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    absence_of_hub.cache_clear()
    yield
    absence_of_hub.cache_clear()


def test_rows_are_read_by_the_datasets_library(tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    lines = [f'{{"question": "What is {i} + {i}?", "answer": "{2 * i}"}}' for i in range(3)]
    (folder / "train.jsonl").write_text("\n".join(lines))
    rows = list(hub_rows(str(folder), None, "train"))
    assert [row.value for row in rows][2] == {"question": "What is 2 + 2?", "answer": "4"}
    assert rows[2].place == f"{folder}[train] row 2"
    with pytest.raises(UserError, match=r"\[worst\]: cannot load this Hugging Face data set: Unknown split"):
        list(hub_rows(str(folder), None, "worst"))


def test_hub_is_not_asked_when_the_user_is_offline(monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(hub, "_probe", None)
    with pytest.raises(
        Unreachable,
        match=r"^me/mine/main\[test\]: HF_HUB_OFFLINE is set, and no copy is in the local cache; name a file$",
    ):
        list(hub_rows("me/mine", "main", "test"))


def test_hub_that_is_not_there_is_noticed_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    import datasets
    from huggingface_hub import constants

    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", False)  # it keeps what it saw when it was first imported
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        monkeypatch.setattr(constants, "ENDPOINT", f"http://127.0.0.1:{unused.getsockname()[1]}")
        begin = time.monotonic()
        with pytest.raises(Unreachable, match=r"^me/mine\[train\]: http://127.* cannot be reached \(.*refused\)"):
            list(hub_rows("me/mine", None, "train"))
    assert time.monotonic() - begin < hub.PROBE_S + 10
    assert not (constants.HF_HUB_OFFLINE or datasets.config.HF_HUB_OFFLINE)  # as before


@pytest.mark.parametrize("endpoint", ["nonsense", "http://a b", "http://127.0.0.1:port"])
def test_address_that_is_none_is_noticed(endpoint: str) -> None:
    absence_of_hub.cache_clear()
    started = time.monotonic()
    assert (absence_of_hub(endpoint, False) or "").startswith(f"{endpoint} cannot be reached (")
    assert time.monotonic() - started < hub.PROBE_S


def test_hub_that_never_answers_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub, "PROBE_S", 0.05)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        endpoint = f"http://127.0.0.1:{silent.getsockname()[1]}"
        assert str(absence_of_hub(endpoint, False)).startswith(f"{endpoint} cannot be reached (")


def test_hub_that_answers_with_an_error_is_there() -> None:
    class Refusing(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self.send_error(403)

        def log_message(self, *arguments: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Refusing)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        assert absence_of_hub(f"http://127.0.0.1:{server.server_port}", False) is None
    finally:
        server.shutdown()
        server.server_close()
