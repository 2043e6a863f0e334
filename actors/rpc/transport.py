"""Connect actors by TCP connections whose two ends prove to each other that they know the actor's key.

Ray hands out address and key by a call, so only those who may call an actor can connect to it. Frames are not
encrypted, as Ray's own traffic is not.

    caller                                                actor
      nonce ──────────────────────────────────────────> <── nonce
      HMAC(key, "caller", nonce, peer nonce) ──────────> <── HMAC(key, "actor", nonce, peer nonce)
      length, frame, length, frame … <─────────────────> length, frame …
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

HANDSHAKE_S = 30.0  # longest time for TCP to connect and for both proofs
SECRET = 32  # bytes of a key, of a nonce and of a proof
LENGTH = struct.Struct("!I")
CALLER, ACTOR = b"caller", b"actor"
# A node that vanished without closing is noticed after a minute (s, s, number, ms).
KEEPALIVE = {"TCP_KEEPIDLE": 30, "TCP_KEEPINTVL": 10, "TCP_KEEPCNT": 3, "TCP_USER_TIMEOUT": 60_000}


@dataclass(frozen=True, slots=True)
class Address:
    """Where an actor listens, and the key that it shares with its callers."""

    host: str
    port: int
    key: bytes = field(repr=False)


OnFrame = Callable[["Connection", bytes], None]
OnClose = Callable[["Connection"], None]


class Connection(asyncio.Protocol):
    """One end of a connection. ``on_frame`` gets each frame; ``on_close`` is called once when the connection ends."""

    def __init__(self, key: bytes, side: bytes, on_frame: OnFrame, on_close: OnClose) -> None:
        self._key, self._side, self._on_frame, self._on_close = key, side, on_frame, on_close
        self._nonce, self._peer_nonce = secrets.token_bytes(SECRET), b""
        self._unread = bytearray()
        self._is_authenticated = False
        self.is_closed = False
        # Resolves to whether the peer proved that it knows the key.
        self.handshake: asyncio.Future[bool] = asyncio.get_running_loop().create_future()

    def write(self, frames: Iterable[bytes]) -> None:
        """Send frames together. Frames not yet sent when the connection ends are lost."""
        self._transport.write(b"".join(part for frame in frames for part in (LENGTH.pack(len(frame)), frame)))

    def close(self) -> None:
        self._transport.abort()

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        raw_socket = transport.get_extra_info("socket")
        raw_socket.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for name, value in KEEPALIVE.items():
            raw_socket.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
        self._transport.write(self._nonce)
        self._deadline = asyncio.get_running_loop().call_later(HANDSHAKE_S, self._transport.abort)

    def data_received(self, data: bytes) -> None:
        self._unread += data
        if not self._is_authenticated:
            self._shake_hands()
        if self._is_authenticated:
            self._read_frames()

    def connection_lost(self, error: Exception | None) -> None:
        self.is_closed = True
        self._deadline.cancel()
        if not self.handshake.done():
            self.handshake.set_result(False)
        self._on_close(self)

    def _shake_hands(self) -> None:
        if not self._peer_nonce and (nonce := self._pop(SECRET)):
            self._peer_nonce = nonce
            self._transport.write(self._proof(self._side, self._nonce, self._peer_nonce))
        if self._peer_nonce and (proof := self._pop(SECRET)):
            peer_side = ACTOR if self._side is CALLER else CALLER
            self._is_authenticated = hmac.compare_digest(proof, self._proof(peer_side, self._peer_nonce, self._nonce))
            if not self._is_authenticated:
                self._transport.abort()
            elif not self.handshake.done():
                self._deadline.cancel()
                self.handshake.set_result(True)

    def _pop(self, length: int) -> bytes:
        """Return and remove the next ``length`` unread bytes; empty while there are fewer."""
        popped = bytes(self._unread[:length]) if len(self._unread) >= length else b""
        del self._unread[: len(popped)]
        return popped

    def _proof(self, side: bytes, first: bytes, second: bytes) -> bytes:
        return hmac.digest(self._key, side + first + second, "sha256")

    def _read_frames(self) -> None:
        unread, begin = self._unread, 0
        while len(unread) >= begin + LENGTH.size:
            end = begin + LENGTH.size + LENGTH.unpack_from(unread, begin)[0]
            if len(unread) < end:
                break
            self._on_frame(self, bytes(unread[begin + LENGTH.size : end]))
            begin = end
        del unread[:begin]


async def listen(on_frame: OnFrame, on_close: OnClose) -> tuple[asyncio.Server, Address]:
    """Start a server on a free port of this node and return it with its address, whose key is new."""
    key, host = secrets.token_bytes(SECRET), ray.util.get_node_ip_address()
    server = await asyncio.get_running_loop().create_server(lambda: Connection(key, ACTOR, on_frame, on_close), host, 0)
    return server, Address(host, server.sockets[0].getsockname()[1], key)


async def connect(address: Address, on_frame: OnFrame, on_close: OnClose) -> Connection:
    """Return an authenticated connection to the actor at ``address``. Raises Unreachable."""
    peer = f"{address.host}:{address.port}"
    try:
        async with asyncio.timeout(HANDSHAKE_S):
            _, connection = await asyncio.get_running_loop().create_connection(
                lambda: Connection(address.key, CALLER, on_frame, on_close), address.host, address.port
            )
            if await connection.handshake and not connection.is_closed:
                return connection
    except (OSError, TimeoutError) as error:
        raise Unreachable(
            f"{peer} cannot be reached ({error or 'no answer'}): nodes must reach each other's ports"
        ) from error
    raise Unreachable(
        f"{peer} closed the connection: it does not know the actor's key, or {HANDSHAKE_S:g} s were not enough"
    )
