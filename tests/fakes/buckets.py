"""Buckets of an object store in a directory, for processes of a test; and moto's S3 server, for all processes."""

from __future__ import annotations

import os
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from search.storage import object_store

MOTO = Path(__file__).resolve().parents[2] / ".venv-moto" / "bin" / "moto_server"
BUCKET = "bucket"
START_S = 60.0
needs_moto = pytest.mark.skipif(not MOTO.exists(), reason="no S3 server: make moto installs one")


class DirectoryBuckets:
    """A file system of pyarrow whose buckets are directories below ``root``. As in a store, writing needs no directory."""

    def __init__(self, root: Path) -> None:
        from pyarrow import fs

        self._system: Any = fs.SubTreeFileSystem(str(root), fs.LocalFileSystem())
        self.writes: list[str] = []
        self.broken = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._system, name)

    def open_output_stream(self, path: str) -> Any:
        self._write(path)
        return self._system.open_output_stream(path)

    def copy_file(self, source: str, target: str) -> None:
        self._write(target)
        self._system.copy_file(source, target)

    def _write(self, path: str) -> None:
        if self.broken:
            raise OSError("the store is away")
        self.writes.append(path)
        self._system.create_dir(path.rpartition("/")[0], recursive=True)


def use_buckets(monkeypatch: pytest.MonkeyPatch, root: Path) -> DirectoryBuckets:
    """Have object stores of this process lie below ``root``, and their mirrors too."""
    buckets = DirectoryBuckets(root)
    (root / BUCKET).mkdir(parents=True)
    monkeypatch.setenv(object_store.SCRATCH_VARIABLE, str(root / "scratch"))
    monkeypatch.setattr(object_store, "_file_system", lambda scheme: buckets)
    return buckets


@contextmanager
def s3_server(log: Path, host: str = "127.0.0.1", port: int = 0) -> Iterator[str]:
    """Run moto's S3 server with one bucket during the block, and yield its address."""
    port = port or 20_000 + os.getpid() % 20_000
    with log.open("w") as output:
        process = subprocess.Popen(
            [str(MOTO), "-H", host, "-p", str(port)], stdout=output, stderr=subprocess.STDOUT, start_new_session=True
        )
    try:
        make_bucket(f"http://{host}:{port}", process, log)
        yield f"http://{host}:{port}"
    finally:
        process.terminate()
        process.wait(timeout=START_S)


def make_bucket(endpoint: str, process: subprocess.Popen[Any], log: Path) -> None:
    """Make the bucket as soon as the server answers."""
    deadline = time.monotonic() + START_S
    while True:
        try:
            urllib.request.urlopen(urllib.request.Request(f"{endpoint}/{BUCKET}", method="PUT"), timeout=5).close()
            return
        except (urllib.error.URLError, OSError) as error:
            if process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"moto's server did not start: {log.read_text()[-2000:]}") from error
            time.sleep(0.2)
