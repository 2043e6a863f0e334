"""Serve many small requests to one actor over TCP connections: a Ray call costs several times as much at both ends.

Ray places the actor, tells clients its address and restarts it. Requests and responses never pass through Ray. All
frames that are written in one turn of the event loop are sent together.

    client                                                  server (the actor)
      call ────> outgoing requests ──── request frames ───> one task per request
      future <── response frames ──────────────────────────  responses, as each task ends
      on_load <─ load frame ───────────────────────────────  what is in flight for other clients, when it has changed
      connection ends: all pending calls raise ActorLost     connection ends: the client's tasks are cancelled
"""

from __future__ import annotations

import asyncio
import pickle
from collections import defaultdict
from dataclasses import dataclass, field

from actors.rpc.messages import LOAD_FRAME, REQUEST_HEADER, RESPONSE_HEADER, portable_error
from actors.rpc.transport import Address, Connection, listen


@dataclass(eq=False, slots=True, kw_only=True)
class CallerState:
    """What an actor has in hand for one caller.

    ``tasks``: running requests by id, each with its size. ``inflight``: the sum of these sizes. ``last_load``: the load
    frame sent last to this caller.
    """

    tasks: dict[int, tuple[asyncio.Task[None], int]] = field(default_factory=dict)
    responses: list[bytes] = field(default_factory=list)
    inflight: int = 0
    flush_scheduled: bool = False
    last_load: bytes = b""

    def remove(self, request_id: int) -> asyncio.Task[None] | None:
        """Drop a request and return its task; None where it is not running."""
        task, size = self.tasks.pop(request_id, (None, 0))
        self.inflight -= size
        return task


class RpcServer:
    """Base class of actors whose methods an RpcClient calls."""

    def __init__(self) -> None:
        self._callers: defaultdict[Connection, CallerState] = defaultdict(CallerState)
        self._listening: asyncio.Task[tuple[asyncio.Server, Address]] | None = None

    async def listen_address(self) -> Address:
        """Return where clients connect to. The event loop of the first such call runs all requests."""
        if self._listening is None:
            self._listening = asyncio.ensure_future(listen(self._on_request, self._on_close))
        return (await self._listening)[1]

    def _on_request(self, connection: Connection, frame: bytes) -> None:
        caller = self._callers[connection]
        request_id, size = REQUEST_HEADER.unpack_from(frame)
        if len(frame) > REQUEST_HEADER.size:
            task = asyncio.ensure_future(self._respond(connection, caller, request_id, frame))
            caller.tasks[request_id] = task, size
            caller.inflight += size
        elif (cancelled := caller.remove(request_id)) is not None:
            cancelled.cancel()

    def _on_close(self, connection: Connection) -> None:
        """Cancel all requests of a caller that is gone."""
        for task, _ in self._callers.pop(connection, CallerState()).tasks.values():
            task.cancel()

    async def _respond(self, connection: Connection, caller: CallerState, request_id: int, frame: bytes) -> None:
        try:
            method, arguments = pickle.loads(memoryview(frame)[REQUEST_HEADER.size :])
            response = RESPONSE_HEADER.pack(request_id, True) + pickle.dumps(await getattr(self, method)(*arguments))
        except Exception as error:  # noqa: BLE001 the boundary of a request: its caller gets the error
            response = RESPONSE_HEADER.pack(request_id, False) + pickle.dumps(portable_error(error))
        if caller.remove(request_id) is not None:
            caller.responses.append(response)
            if not caller.flush_scheduled:
                caller.flush_scheduled = True
                asyncio.get_running_loop().call_soon(self._flush, connection, caller)

    def _flush(self, connection: Connection, caller: CallerState) -> None:
        """Send the caller's responses, behind a load frame where the load of the others has changed."""
        caller.flush_scheduled = False
        if connection in self._callers:
            others = [other.inflight for other in self._callers.values() if other is not caller and other.tasks]
            load = LOAD_FRAME.pack(0, True, sum(others), len(others))
            connection.write(caller.responses if load == caller.last_load else [load, *caller.responses])
            caller.last_load = load
            caller.responses.clear()
