"""Keep composed problems in the user's cache: composing those of the demo takes seconds, reading them a tenth of one.

A file is named by a digest of the generator's source and the arguments, so an edit of the generator never meets old problems.
Its first line is a digest of the rest: a damaged file counts as absent.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from functools import cache
from hashlib import blake2b
from pathlib import Path

from pydantic import TypeAdapter

from search import seeds
from search.problems.cache_directory import cache_root
from search.problems.curriculum.compose import Composition

GENERATOR = ("templates.py", "chains.py", "compose.py", "__init__.py")
Composed = tuple[int, int, Composition]  # level, seed
ADAPTER = TypeAdapter(list[Composed])


def read_composed(*arguments: object) -> list[Composed] | None:
    """Return the compositions kept for ``arguments``, None if there are none."""
    try:
        digest, _, content = _path(arguments).read_bytes().partition(b"\n")
    except OSError:
        return None
    return ADAPTER.validate_json(content) if digest == _digest(content) else None


def write_composed(composed: Sequence[Composed], *arguments: object) -> None:
    """Keep compositions for ``arguments``; without effect where the cache cannot be written."""
    path, content = _path(arguments), ADAPTER.dump_json(list(composed))
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_bytes(_digest(content) + b"\n" + content)
        temporary.replace(path)
    except OSError:
        with suppress(OSError):
            temporary.unlink()


def _path(arguments: Sequence[object]) -> Path:
    key = _digest(repr((_generator_digest(), arguments)).encode()).decode()
    return cache_root() / f"curriculum-{key}.json"


@cache
def _generator_digest() -> bytes:
    files = [Path(seeds.__file__), *(Path(__file__).with_name(name) for name in GENERATOR)]
    return _digest(b"\0".join(file.read_bytes() for file in files))


def _digest(content: bytes) -> bytes:
    return blake2b(content, digest_size=12).hexdigest().encode()
