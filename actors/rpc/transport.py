"""Connections between actors: plain TCP whose two ends prove to each other that they know the actor's key.

Ray hands out address and key by a call, so who may call an actor may write to it, and nobody else. What is sent is not
encrypted, as Ray's own traffic is not. Knows frames, and nothing of what is in them.

    caller                                              actor
      nonce ──────────────────────────────────────> <── nonce
      HMAC(key, "caller", own nonce, other nonce) ──> <── HMAC(key, "actor", own nonce, other nonce)
      length, frame, length, frame … <──────────────> length, frame …
"""

from __future__ import annotations

import asyncio
import hmac
import secrets
import socket
import struct
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import ray

from actors.errors import Unreachable

OPEN_S = 30.0  # both ends have proved themselves within this time, or the network is in the way
SECRET = 32  # bytes of a key, of a nonce and of a proof
LENGTH = struct.Struct("!I")
CALLER, ACTOR = b"caller", b"actor"
# A node that vanished without a word is noticed after a minute (s, s, number, ms).
ALIVE = {"TCP_KEEPIDLE": 30, "TCP_KEEPINTVL": 10, "TCP_KEEPCNT": 3, "TCP_USER_TIMEOUT": 60_000}


@dataclass(frozen=True, slots=True)
class Address:
    """Where an actor listens, and the key that it shares with its callers."""

    host: str
    port: int
    key: bytes = field(repr=False)


class Connection(asyncio.Protocol):
    """One end of a connection. ``heard`` gets each frame; ``lost`` is told when the connection ends, however it does."""

    def __init__(
        self, key: bytes, side: bytes, heard: Callable[[Connection, bytes], None], lost: Callable[[Connection], None]
    ) -> None:
        self._key, self._side, self._heard, self._lost = key, side, heard, lost
        self._own, self._other = secrets.token_bytes(SECRET), b""
        self._unread = bytearray()
        self._proved = False
        self.ended = False
        # Whether the other end proved itself.
        self.settled: asyncio.Future[bool] = asyncio.get_running_loop().create_future()

    def write(self, frames: Iterable[bytes]) -> None:
        """Send frames together. What is not yet sent when the connection ends is lost."""
        self._transport.write(b"".join(part for frame in frames for part in (LENGTH.pack(len(frame)), frame)))

    def close(self) -> None:
        self._transport.abort()

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        plain = transport.get_extra_info("socket")
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for name, value in ALIVE.items():
            plain.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
        self._transport.write(self._own)
        self._deadline = asyncio.get_running_loop().call_later(OPEN_S, self._transport.abort)

    def data_received(self, data: bytes) -> None:
        self._unread += data
        if not self._proved:
            self._greet()
        if self._proved:
            self._read()

    def connection_lost(self, error: Exception | None) -> None:
        self.ended = True
        self._deadline.cancel()
        if not self.settled.done():
            self.settled.set_result(False)
        self._lost(self)

    def _greet(self) -> None:
        if not self._other and (nonce := self._take(SECRET)):
            self._other = nonce
            self._transport.write(self._proof(self._side, self._own, self._other))
        if self._other and (proof := self._take(SECRET)):
            other_side = ACTOR if self._side is CALLER else CALLER
            self._proved = hmac.compare_digest(proof, self._proof(other_side, self._other, self._own))
            if not self._proved:
                self._transport.abort()
            elif not self.settled.done():
                self._deadline.cancel()
                self.settled.set_result(True)

    def _take(self, length: int) -> bytes:
        """The next bytes; none while there are too few."""
        taken = bytes(self._unread[:length]) if len(self._unread) >= length else b""
        del self._unread[: len(taken)]
        return taken

    def _proof(self, side: bytes, first: bytes, second: bytes) -> bytes:
        return hmac.digest(self._key, side + first + second, "sha256")

    def _read(self) -> None:
        unread, at = self._unread, 0
        while len(unread) >= at + LENGTH.size:
            end = at + LENGTH.size + LENGTH.unpack_from(unread, at)[0]
            if len(unread) < end:
                break
            self._heard(self, bytes(unread[at + LENGTH.size : end]))
            at = end
        del unread[:at]


async def listen(
    heard: Callable[[Connection, bytes], None], lost: Callable[[Connection], None]
) -> tuple[asyncio.Server, Address]:
    """A server on a free port of this node, for callers that know the key of its address."""
    key, host = secrets.token_bytes(SECRET), ray.util.get_node_ip_address()
    server = await asyncio.get_running_loop().create_server(lambda: Connection(key, ACTOR, heard, lost), host, 0)
    return server, Address(host, server.sockets[0].getsockname()[1], key)


async def connect(
    address: Address, heard: Callable[[Connection, bytes], None], lost: Callable[[Connection], None]
) -> Connection:
    """A line to the actor that listens there. Raises Unreachable."""
    where = f"{address.host}:{address.port}"
    try:
        async with asyncio.timeout(OPEN_S):
            _, line = await asyncio.get_running_loop().create_connection(
                lambda: Connection(address.key, CALLER, heard, lost), address.host, address.port
            )
            if await line.settled and not line.ended:
                return line
    except (OSError, TimeoutError) as error:
        raise Unreachable(
            f"{where} cannot be reached ({error or 'no answer'}): nodes must reach each other's ports"
        ) from error
    raise Unreachable(f"{where} hung up: it does not know the actor's key, or {OPEN_S:g} s were not enough")
