"""An executor with a secret around it, for attempts to get at it."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from actors.sandbox.client.executor import LocalExecutor
from tests.actors.sandbox.escape.attempts import CONFIG, SECRET


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def executor() -> AsyncIterator[LocalExecutor]:
    os.environ["RAYSTAR_TEST_SECRET"] = SECRET
    async with LocalExecutor(CONFIG) as local:
        yield local
    del os.environ["RAYSTAR_TEST_SECRET"]


@pytest.fixture
def secret_file(tmp_path: Path) -> Path:
    path = tmp_path / "run" / "manifest.json"
    path.parent.mkdir()
    path.write_text(SECRET)
    return path
