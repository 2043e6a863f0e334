"""A Hugging Face Hub on this machine that takes uploads: accounts, repositories, commits and large files.

It answers what huggingface_hub asks for in create_repo and upload_folder, and keeps what it was sent.
"""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

TOKEN, READ_ONLY_TOKEN = "hf_writer", "hf_reader"
LARGE = ".safetensors"


@dataclass
class Repository:
    """A repository: its files, and the messages of its commits."""

    private: bool = False
    files: dict[str, bytes] = field(default_factory=dict)
    commits: list[str] = field(default_factory=list)


@dataclass
class HubServer:
    """What the server at ``endpoint`` holds: repositories by name, and large files by their digest."""

    endpoint: str
    repositories: dict[str, Repository] = field(default_factory=dict)
    large_files: dict[str, bytes] = field(default_factory=dict)

    def commit(self, name: str, lines: list[dict[str, Any]]) -> str:
        """Apply the operations of one commit and return its id."""
        repository = self.repositories[name]
        for line in lines:
            value = line["value"]
            if line["key"] == "header":
                repository.commits.append(value["summary"])
            elif line["key"] == "file":
                repository.files[value["path"]] = base64.b64decode(value["content"])
            elif line["key"] == "lfsFile":
                repository.files[value["path"]] = self.large_files[value["oid"]]
            elif line["key"] == "deletedFile":
                del repository.files[value["path"]]
        return f"{len(repository.commits):040x}"


@contextmanager
def hub_server() -> Iterator[HubServer]:
    """Serve an empty Hub until the block ends."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    hub = HubServer(f"http://127.0.0.1:{server.server_address[1]}")
    server.hub = hub  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()


class Handler(BaseHTTPRequestHandler):
    """Answers one request."""

    protocol_version = "HTTP/1.1"

    @property
    def hub(self) -> HubServer:
        return self.server.hub  # type: ignore[attr-defined, no-any-return]

    def log_message(self, format: str, *arguments: Any) -> None:
        pass

    def answer(self, status: int, content: object = None, **headers: str) -> None:
        body = b"" if self.command == "HEAD" else json.dumps(content or {}).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def may(self, *tokens: str) -> bool:
        """Answer 401 or 403 unless the request carries one of ``tokens``."""
        given = (self.headers.get("Authorization") or "").removeprefix("Bearer ")
        if given in tokens:
            return True
        self.answer(403 if given in (TOKEN, READ_ONLY_TOKEN) else 401, {"error": "not with this token"})
        return False

    def do_HEAD(self) -> None:
        self.answer(200)

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if path == "/api/whoami-v2":
            if self.may(TOKEN, READ_ONLY_TOKEN):
                self.answer(200, {"type": "user", "name": "ada"})
            return
        name = "/".join(path.removeprefix("/api/models/").split("/")[:2])
        repository = self.hub.repositories.get(name)
        if repository is None:
            self.answer(404, {"error": "Repository not found"}, X_Error_Code="RepoNotFound")
        elif "/tree/" in path:
            self.answer(200, [_entry(file, content) for file, content in repository.files.items()])  # type: ignore[arg-type]
        else:
            siblings = [{"rfilename": file} for file in repository.files]
            self.answer(200, {"id": name, "sha": "0" * 40, "private": repository.private, "siblings": siblings})

    def do_PUT(self) -> None:
        self.hub.large_files[self.path.rpartition("/")[2]] = self.body()
        self.answer(200)

    def do_POST(self) -> None:
        body, path = self.body(), self.path.partition("?")[0]
        if not self.may(TOKEN):
            return
        if path == "/api/repos/create":
            self._create(json.loads(body))
        elif path == "/api/validate-yaml":
            self.answer(200, {"errors": [], "warnings": []})
        elif "/preupload/" in path:
            files = [entry["path"] for entry in json.loads(body)["files"]]
            modes = [
                {"path": file, "uploadMode": "lfs" if file.endswith(LARGE) else "regular", "shouldIgnore": False}
                for file in files
            ]
            self.answer(200, {"files": modes})
        elif path.endswith("/info/lfs/objects/batch"):
            uploads = [
                {**entry, "actions": {"upload": {"href": f"{self.hub.endpoint}/upload/{entry['oid']}"}}}
                for entry in json.loads(body)["objects"]
            ]
            self.answer(200, {"transfer": "basic", "objects": uploads})
        elif "/commit/" in path:
            name = path.removeprefix("/api/models/").partition("/commit/")[0]
            commit = self.hub.commit(name, [json.loads(line) for line in body.splitlines()])
            self.answer(200, {"commitUrl": f"{self.hub.endpoint}/{name}/commit/{commit}", "commitOid": commit})
        else:
            self.answer(404, {"error": path})

    def _create(self, wanted: dict[str, Any]) -> None:
        name = f"{wanted['organization']}/{wanted['name']}"
        url = {"url": f"{self.hub.endpoint}/{name}", "name": name}
        if name in self.hub.repositories:
            self.answer(409, url)
            return
        self.hub.repositories[name] = Repository(private=wanted.get("visibility") == "private")
        self.answer(200, url)


def _entry(path: str, content: bytes) -> dict[str, Any]:
    return {"type": "file", "path": path, "size": len(content), "oid": "0" * 40}
