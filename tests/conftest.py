"""For all tests: one Ray, and two minutes for its node to start, because Ray's own 30 seconds are short on a busy machine."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

os.environ.setdefault("RAY_raylet_start_wait_time_s", "120")


@pytest.fixture(scope="session")
def local_ray() -> Iterator[None]:
    """A Ray of our own, shared by all slow tests that run in this process: a second one cannot be started in it."""
    import ray  # fast tests must not wait for it

    ray.init(address="local", num_cpus=4, include_dashboard=False, log_to_driver=False)
    yield
    ray.shutdown()


# These share engines that are started once a process.
SHARED_ENGINES = ("tests/actors/engines", "tests/actors/workers")


class FolderScheduling(LoadScopeScheduling):
    """Gives all tests that share Ray or engines to one process: those of a package, in tests/actors of a folder."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        if file.startswith(SHARED_ENGINES):
            return "engines"
        return "/".join(file.split("/")[: 3 if file.startswith("tests/actors/") else 2])


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> FolderScheduling | None:
    """Return the scheduler of ``--dist loadscope``, which runs the slow tests."""
    return FolderScheduling(config, log) if config.getvalue("dist") == "loadscope" else None
