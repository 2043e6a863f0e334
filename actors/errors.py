"""What can go wrong between a search and its actors, by name; a message is one line: what, where, the remedy."""

from __future__ import annotations


class PromptTooLong(ValueError):
    """The prompt and the tokens asked for do not fit the engine's context. Trying again cannot help."""


class BadScore(ValueError):
    """A reward model's logit is not a finite number. The weights are broken; trying again cannot help."""


class RequestFailed(RuntimeError):
    """An actor dropped one request and lives on. Another try may succeed."""


class ActorLost(ConnectionError):
    """The connection to an actor ended before it answered: its process, its node or the network went away."""


class Unreachable(ConnectionError):
    """The actor lives, but no connection to it can be made."""


class WrongModel(RuntimeError):
    """The engine serves another model than the request is meant for: it started again on its first one."""


class EngineGaveUp(RuntimeError):
    """One request failed on every try that the config allows, or no engine came back in time."""


class StartTimeout(TimeoutError):
    """Engines did not start before the deadline."""
