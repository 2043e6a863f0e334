"""A Ray actor handle without Ray: ``handle.method.remote(…)`` awaits a method of an object in this process."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from typing import Any

from ray.exceptions import ActorDiedError


class RemoteMethod:
    """A method of an actor."""

    def __init__(self, handle: ActorHandle, call: Callable[..., Any]) -> None:
        self._handle, self._call = handle, call

    async def remote(self, *arguments: Any) -> Any:
        if self._handle.is_dead:
            raise ActorDiedError()
        return pickle.loads(pickle.dumps(await self._call(*arguments)))


class ActorHandle:
    """The handle of ``actor``, whose async methods it offers as Ray does; what they return is pickled on the way.

    After ``die`` every call raises ActorDiedError, and the connections of an actor that is an RpcServer are closed.
    Delays and other failures are those of the actor's methods.
    """

    def __init__(self, actor: Any) -> None:
        self.actor, self.is_dead = actor, False

    def __getattr__(self, name: str) -> RemoteMethod:
        return RemoteMethod(self, getattr(self.actor, name))

    def die(self) -> None:
        self.is_dead = True
        for connection in list(self.actor._callers):
            connection.close()
