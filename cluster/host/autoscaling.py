"""Ask a cluster's autoscaler for nodes, from the start of a run to its end.

Placement groups ask for nodes too, but only while they wait. Without a request that is held, nodes of executors are taken
away while models are trained, and have to come back before the next search. A cluster without an autoscaler ignores it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from ray.autoscaler.sdk import request_resources


@contextmanager
def hold_resources(bundles: Sequence[Mapping[str, float]]) -> Iterator[None]:
    """Ask for nodes with room for all ``bundles`` (Ray's resources) at the same time until the block ends.

    A request replaces the one before, of another run on the cluster too; what runs keeps its nodes in any case. Without
    bundles nothing is asked for.
    """
    wanted = [dict(bundle) for bundle in bundles if bundle]
    if not wanted:
        yield
        return
    request_resources(bundles=wanted)
    try:
        yield
    finally:
        request_resources(bundles=[])
