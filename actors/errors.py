"""Define the errors between a search and its actors. Each message is one line: what, where, the remedy."""

from __future__ import annotations

from search.errors import UserError


class PromptTooLong(ValueError):
    """The prompt and the requested tokens do not fit the engine's context. Retrying cannot help."""


class BadScore(ValueError):
    """A reward model's score is not a finite number. The weights are broken; retrying cannot help."""


class RequestFailed(RuntimeError):
    """An actor dropped one request and lives on. Another try may succeed."""


class ActorLost(ConnectionError):
    """The connection to an actor ended before it responded: its process, its node or the network failed."""


class Unreachable(ConnectionError):
    """The actor lives, but no connection to it can be made."""


class WrongModel(RuntimeError):
    """The engine serves another model than the request is meant for, because it was restarted on its first one."""


class EngineGaveUp(RuntimeError):
    """One request failed on every try that the config allows, or no engine came back in time."""


class StartTimeout(UserError, TimeoutError):
    """Engines did not start before the deadline."""


class NoRoom(UserError, TimeoutError):
    """No nodes with room for some actors came up before the deadline."""


class EngineStartFailed(UserError):
    """An engine could not start: its memory, its model's type, a driver. The message names the cause, the node and the log."""


class EndpointRefused(RuntimeError):
    """A server refused a request for a reason that another try does not change: its key, its model or its fields."""

    def __init__(self, message: str, status: int = 0) -> None:
        super().__init__(message, status)
        self.message, self.status = message, status

    def __str__(self) -> str:
        return self.message
