"""Name actors, so that Ray's dashboard and ``ray list actors`` say what each does."""

from __future__ import annotations

from itertools import count

import ray

_numbers = count(1)


def actor_name(label: str) -> str:
    """Return a name for a new actor: what it does, its job, and a number, because a name is free again only when Ray says so.

    "policy-0 (job 02000000, 3)"
    """
    return f"{label} (job {ray.get_runtime_context().get_job_id()}, {next(_numbers)})"
