"""Start engines that share a GPU one after the other.

vLLM measures what is free on the card while it starts. Two that start at once count each other's half-loaded weights, and
one of them finds too little.
"""

from __future__ import annotations

import fcntl
import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import ray

from actors.config import EngineConfig


@contextmanager
def card_turn(config: EngineConfig, folder: Path | None = None) -> Iterator[None]:
    """Hold the card that this actor shares until the block ends; do nothing for an engine with whole cards or none.

    A lock of the node's: whoever dies in its turn lets go of it. ``folder``: of the lock files, the same for all of a node.
    """
    if not 0 < config.gpus < 1:
        yield
        return
    folder = folder or Path(tempfile.gettempdir()) / f"raystar-cards-{os.getuid()}"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (folder / f"{_card_name(ray.get_gpu_ids())}.lock").open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _card_name(cards: Sequence[object]) -> str:
    """Return the name of the card among those of its node. Several nodes of Ray may be on one machine, in tests."""
    return "-".join([ray.get_runtime_context().get_node_id()[:16], *map(str, cards)])
