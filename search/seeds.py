"""Seeds derived from keys: equal keys give equal seeds on every machine, and similar keys give unrelated ones."""

from __future__ import annotations

from hashlib import blake2b


def derive(*key: object) -> int:
    """Return a seed in [0, 2**63) for a key, for example (run, round, problem id, tree, node, attempt)."""
    text = "\x1f".join(map(str, key))
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "big") >> 1


def tree_seed(search_seed: int, problem_id: str, number: int = 0) -> int:
    """Return the seed of a problem's tree ``number``. The first tree's does not depend on how many there are."""
    return derive(search_seed, problem_id, number) if number else derive(search_seed, problem_id)
