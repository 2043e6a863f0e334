"""Define the frames that RpcClient and RpcServer exchange.

client -> server   REQUEST_HEADER, pickled (method, arguments)      a request
                   REQUEST_HEADER                                   cancels the request with this id
server -> client   RESPONSE_HEADER, pickled value or exception      the response to a request
                   LOAD_FRAME, with request id 0, which no request has
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from actors.errors import RequestFailed

REQUEST_HEADER = struct.Struct("!QI")  # request id, size of the request in the server's own unit
RESPONSE_HEADER = struct.Struct("!Q?")  # request id, whether the method returned (else it raised)
LOAD_FRAME = struct.Struct("!Q?QI")  # a RESPONSE_HEADER with id 0, then the fields of Load


@dataclass(frozen=True, slots=True)
class Load:
    """What an actor has in flight for its other callers: the size of all their requests, and the number of callers."""

    inflight: int = 0
    callers: int = 0


def portable_error(error: Exception) -> Exception:
    """Return an error that the client can unpickle: ours unchanged, another as RequestFailed with its message."""
    if type(error).__module__.split(".")[0] in ("actors", "search"):
        return error
    return RequestFailed(f"{type(error).__name__}: {error}")
