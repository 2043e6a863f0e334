"""Sockets of every kind."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from actors.sandbox.client.executor import LocalExecutor
from search.data import Outcome
from tests.actors.sandbox.escape.attempts import attempt

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture
def listeners(tmp_path: Path) -> Iterator[dict[str, object]]:
    """Servers that a step must not reach: TCP (as Ray's ports are), UDP, unix and abstract sockets."""
    tcp = socket.create_server(("127.0.0.1", 0))
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    udp.bind(("127.0.0.1", 0))
    unix = socket.socket(socket.AF_UNIX)
    unix.bind(str(tmp_path / "s"))
    abstract = socket.socket(socket.AF_UNIX)
    abstract.bind(f"\0raystar-{os.getpid()}")
    servers = [tcp, udp, unix, abstract]
    for server in (unix, abstract):
        server.listen()
    for server in servers:
        server.setblocking(False)
    yield {"servers": servers, "tcp": tcp.getsockname(), "unix": unix.getsockname(), "abstract": abstract.getsockname()}
    for server in servers:
        server.close()


@pytest.mark.parametrize("kind", ["tcp", "unix", "abstract"])
async def test_connecting_to_listeners_is_refused(
    executor: LocalExecutor, listeners: dict[str, object], kind: str
) -> None:
    family = "AF_INET" if kind == "tcp" else "AF_UNIX"
    code = f"import socket; s = socket.socket(socket.{family}); s.connect({listeners[kind]!r}); print('ESCAPED')"
    assert (await attempt(executor, code)).outcome is Outcome.FORBIDDEN
    for server in listeners["servers"]:  # type: ignore[attr-defined]
        with pytest.raises(BlockingIOError):
            server.recv(1) if server.type == socket.SOCK_DGRAM else server.accept()


@pytest.mark.parametrize(
    "kind", ["AF_INET, SOCK_DGRAM", "AF_INET6, SOCK_STREAM", "AF_PACKET, SOCK_RAW", "AF_NETLINK, SOCK_RAW"]
)
async def test_sockets_of_every_family_are_refused(executor: LocalExecutor, kind: str) -> None:
    code = f"from socket import *; socket({kind}); print('ESCAPED')"
    assert (await attempt(executor, code)).outcome is Outcome.FORBIDDEN


async def test_socket_pairs_pipes_and_memory_files_are_refused(executor: LocalExecutor) -> None:
    for call in ("__import__('socket').socketpair()", "os.pipe()", "os.memfd_create('a')", "os.eventfd(0)"):
        assert (await attempt(executor, f"import os; {call}; print('ESCAPED')")).outcome is Outcome.FORBIDDEN
