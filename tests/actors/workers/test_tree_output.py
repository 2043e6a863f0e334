"""Where a worker's trees go: its file in a directory, or segments that are uploaded to an object store."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from actors.workers import tree_output
from actors.workers.tree_output import TreeOutput
from search.errors import UserError
from search.storage.object_store import ObjectStore, open_store
from search.storage.tree_store import finished_keys
from tests.fakes.buckets import DirectoryBuckets, use_buckets
from tests.search.storage.test_tree_store import tree


@pytest.fixture
def buckets(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> DirectoryBuckets:
    monkeypatch.setattr(tree_output, "RETRY_S", (0.01, 0.01))
    return use_buckets(monkeypatch, tmp_path)


def stored(store: ObjectStore) -> set[str]:
    """Return the ids of the problems whose trees are in the store, as the driver reads them."""
    store.pull(store.mirror)
    return {problem for problem, _ in finished_keys(store.mirror)}


async def test_worker_appends_to_one_file_in_a_directory(tmp_path: Path) -> None:
    output = TreeOutput(tmp_path, 2, None)
    output.append(tree("p1"))
    await output.upload()  # there is nothing to upload to
    output.append(tree("p2"))
    await output.close()
    assert finished_keys(tmp_path / "trees-2.jsonl") == finished_keys(tmp_path) == {("p1", 0), ("p2", 0)}


async def test_trees_are_in_the_store_after_each_upload(buckets: DirectoryBuckets) -> None:
    store = open_store("s3://bucket/x")
    output = TreeOutput(store.mirror, 0, store)
    output.append(tree("p1"))
    output.append(tree("p2"))
    assert stored(store) == {"p1", "p2"} and not store.entries(store.mirror)  # on this machine only
    await output.upload()
    assert len(store.entries(store.mirror)) == 1
    output.append(tree("p3"))
    await output.close()
    assert len(store.entries(store.mirror)) == 2 and stored(store) == {"p1", "p2", "p3"}


async def test_uploads_happen_by_themselves(buckets: DirectoryBuckets, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tree_output, "UPLOAD_S", 0.01)
    uploaded, upload = asyncio.Event(), TreeOutput.upload

    async def upload_and_tell(output: TreeOutput) -> None:
        await upload(output)
        uploaded.set()

    monkeypatch.setattr(TreeOutput, "upload", upload_and_tell)
    store = open_store("s3://bucket/x")
    output = TreeOutput(store.mirror, 0, store)
    output.append(tree("p1"))
    await uploaded.wait()
    assert stored(store) == {"p1"}  # the job has not ended
    await output.close()


async def test_outage_delays_an_upload_and_loses_nothing(buckets: DirectoryBuckets) -> None:
    store = open_store("s3://bucket/x")
    output = TreeOutput(store.mirror, 0, store)
    buckets.broken = True
    output.append(tree("p1"))
    with pytest.raises(UserError, match="the store is away"):
        await output.upload()
    output.append(tree("p2"))
    with pytest.raises(UserError, match="the store is away"):
        await output.close()
    buckets.broken = False
    await output.close()
    assert stored(store) == {"p1", "p2"}


async def test_workers_of_one_machine_share_no_file(buckets: DirectoryBuckets) -> None:
    store = open_store("s3://bucket/x")
    outputs = [TreeOutput(store.mirror, 0, store) for _ in range(3)]  # a worker and its successors, say
    for number, output in enumerate(outputs):
        output.append(tree(f"p{number}"))
    await asyncio.gather(*(output.close() for output in outputs))
    assert len(store.entries(store.mirror)) == 3 and stored(store) == {"p0", "p1", "p2"}
