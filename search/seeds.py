"""Seeds by name: the same key gives the same 63-bit seed everywhere, and nearby keys share nothing."""

from __future__ import annotations

from hashlib import blake2b


def derive(*key: object) -> int:
    """A seed in [0, 2**63) from the parts of a key, for example (run, round, problem id, tree, node, attempt)."""
    text = "\x1f".join(map(str, key))
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "big") >> 1
