"""Seeds derived from keys: equal keys give equal seeds on every machine, and similar keys give unrelated ones."""

from __future__ import annotations

from hashlib import blake2b


def derive(*key: object) -> int:
    """Return a seed in [0, 2**63) for a key, for example (run, round, problem id, tree, node, attempt)."""
    text = "\x1f".join(map(str, key))
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "big") >> 1
