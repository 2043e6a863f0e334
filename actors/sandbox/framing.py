"""Frame JSON messages between the fork server and its client: a length of four bytes, then the message."""

from __future__ import annotations

import json
import socket
import struct
from collections.abc import Iterator
from typing import Any

FRAME = struct.Struct(">I")


def encode_frame(message: object) -> bytes:
    body = json.dumps(message).encode()
    return FRAME.pack(len(body)) + body


def decode_message(body: bytes | bytearray) -> Any:
    """Return the message in a frame. Raise ConnectionAbortedError where it is none."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise ConnectionAbortedError(f"not a message: {error}") from error


class Channel:
    """The fork server's non-blocking end of the client's socket. Raises ConnectionError when the client is gone."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.inbox = bytearray()
        self.outbox = bytearray()

    def receive(self) -> Iterator[Any]:
        """Read once and yield the messages that are complete. Bytes that are no message end the connection."""
        try:
            data = self.sock.recv(1 << 20)
        except BlockingIOError:
            return
        if not data:
            raise ConnectionResetError("the client is gone")
        self.inbox += data
        while len(self.inbox) >= FRAME.size:
            (size,) = FRAME.unpack_from(self.inbox)
            if len(self.inbox) < FRAME.size + size:
                return
            message = decode_message(self.inbox[FRAME.size : FRAME.size + size])
            del self.inbox[: FRAME.size + size]
            yield message

    def send(self, message: object) -> bool:
        """Send, or buffer what does not fit now. Return True when nothing is left to send."""
        self.outbox += encode_frame(message)
        return self.flush()

    def flush(self) -> bool:
        try:
            del self.outbox[: self.sock.send(self.outbox)]
        except BlockingIOError:
            return False
        return not self.outbox
