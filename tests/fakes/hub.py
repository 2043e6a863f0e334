"""A stand-in for the Hugging Face Hub over HTTP, and a local cache of it that is laid out by hand."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar
from urllib.parse import unquote, urlparse

COMMIT = "c0ffee00" * 5
OTHER_COMMIT = "deadbeef" * 5


@dataclass
class HubModel:
    """A repository: its files, the commit of each branch, and the token that it wants."""

    files: dict[str, bytes]
    refs: dict[str, str] = field(default_factory=lambda: {"main": COMMIT})
    token: str | None = None


def read_files(directory: Path) -> dict[str, bytes]:
    """Return the content of each file in a directory, by name."""
    return {file.name: file.read_bytes() for file in directory.iterdir()}


def lay_out_cache(cache: Path, name: str, files: Mapping[str, bytes], commit: str = COMMIT, ref: str = "main") -> Path:
    """Write a snapshot into a Hub cache as the library lays it out, without its list of files. Return its directory."""
    repository = cache / f"models--{name.replace('/', '--')}"
    snapshot = repository / "snapshots" / commit
    for file, content in files.items():
        (snapshot / file).parent.mkdir(parents=True, exist_ok=True)
        (snapshot / file).write_bytes(content)
    (repository / "refs").mkdir(exist_ok=True)
    (repository / "refs" / ref).write_text(commit)
    return snapshot


class HubHandler(BaseHTTPRequestHandler):
    """Answers as the Hub does. ``models`` are those it has, ``requests`` the paths that were asked for."""

    models: ClassVar[Mapping[str, HubModel]]
    requests: ClassVar[list[str]]
    protocol_version = "HTTP/1.1"

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        self.requests.append(f"{self.command} {self.path}")
        path = unquote(urlparse(self.path).path).strip("/").split("/")
        if path == [""]:
            return self._send(200, b"")
        is_api = path[:2] == ["api", "models"]
        name = "/".join(path[2:4] if is_api else path[:2])
        model = self.models.get(name)
        if model is None:
            return self._refuse(404, "RepoNotFound")
        if model.token and self.headers.get("authorization") != f"Bearer {model.token}":
            return self._refuse(401, "RepoNotFound" if "authorization" not in self.headers else None)
        rest = path[4:] if is_api else path[2:]
        if not is_api:
            return self._send_file(model, rest[1], "/".join(rest[2:]))
        if rest[:1] == ["tree"]:
            return self._send_json([_file_entry(file, content) for file, content in model.files.items()])
        return self._send_info(name, model, "/".join(rest[1:]) or "main")

    def _send_info(self, name: str, model: HubModel, revision: str) -> None:
        commit = model.refs.get(revision, revision if revision in model.refs.values() else None)
        if commit is None:
            return self._refuse(404, "RevisionNotFound")
        siblings = [{"rfilename": file, "size": len(content)} for file, content in model.files.items()]
        weights = {"parameters": {"F32": 12}, "total": 12}
        return self._send_json({"id": name, "sha": commit, "siblings": siblings, "safetensors": weights})

    def _send_file(self, model: HubModel, commit: str, file: str) -> None:
        content = model.files.get(file)
        if content is None:
            return self._refuse(404, "EntryNotFound")
        headers = {"ETag": f'"{hashlib.sha1(content).hexdigest()}"', "X-Repo-Commit": commit}
        return self._send(200, content, headers)

    def _send_json(self, content: object) -> None:
        self._send(200, json.dumps(content).encode(), {"Content-Type": "application/json"})

    def _refuse(self, status: int, code: str | None) -> None:
        headers = {"X-Error-Code": code} if code else {"X-Error-Message": "Invalid credentials in Authorization header"}
        self._send(status, b"", headers)

    def _send(self, status: int, content: bytes, headers: Mapping[str, str] | None = None) -> None:
        self.send_response(status)
        for key, value in (headers or {}).items():
            self.send_header(key, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(content)

    def log_message(self, *arguments: object) -> None:
        pass


@contextmanager
def serve_hub(models: Mapping[str, HubModel]) -> Iterator[tuple[str, list[str]]]:
    """Serve models until the block ends. Yield the endpoint and the requests: "GET /path" each."""
    handler = type("Handler", (HubHandler,), {"models": models, "requests": []})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", handler.requests
    finally:
        server.shutdown()
        server.server_close()


def _file_entry(file: str, content: bytes) -> dict[str, object]:
    return {"type": "file", "path": file, "size": len(content), "oid": hashlib.sha1(content).hexdigest()}
