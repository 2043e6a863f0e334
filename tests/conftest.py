"""For all tests: one Ray, and two minutes for its node to start, because Ray's own 30 seconds are short on a busy machine."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

os.environ.setdefault("RAY_raylet_start_wait_time_s", "120")


@pytest.fixture(scope="session")
def local_ray() -> Iterator[None]:
    """A Ray of our own, shared by all slow tests that run in this process: a second one cannot be started in it."""
    import ray  # fast tests must not wait for it

    ray.init(address="local", num_cpus=4, include_dashboard=False, log_to_driver=False)
    yield
    ray.shutdown()
