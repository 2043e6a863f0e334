"""Object stores: mirrors equal their objects, an upload is whole or absent, a stage is published with its last file last."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from search.errors import UserError
from search.storage import object_store
from search.storage.object_store import ObjectStore, fetch_if_stored, is_url, open_store, store_of_run
from tests.fakes.buckets import DirectoryBuckets, needs_moto, s3_server, use_buckets


@pytest.fixture
def buckets(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> DirectoryBuckets:
    return use_buckets(monkeypatch, tmp_path)


def fill(store: ObjectStore, **files: str) -> Path:
    directory = store.mirror / "rounds" / "r1" / "search.partial"
    directory.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (directory / name).write_text(text)
    return directory


def texts(directory: Path) -> dict[str, str]:
    return {str(file.relative_to(directory)): file.read_text() for file in directory.rglob("*") if file.is_file()}


def check_round_trip(store: ObjectStore) -> None:
    """Push, publish, lose the mirror, pull: the same with every store."""
    partial = fill(store, one="1", two="22", empty="")
    store.push(partial)
    partial.rename(partial.with_name("search"))
    search = partial.with_name("search")
    (search / "done.json").write_text("{}")
    store.publish(partial, search, "done.json")
    assert store.entries(partial) == {}
    shutil.rmtree(store.mirror)
    store.pull(store.mirror)
    assert texts(search) == {"one": "1", "two": "22", "empty": "", "done.json": "{}"}
    assert store.read_text(search / "one") == "1" and store.read_text(search / "three") is None
    store.remove(search)
    store.remove(search)  # it does not matter that there is none
    assert store.entries(store.mirror) == {}


def test_files_come_back_from_a_directory_store(buckets: DirectoryBuckets) -> None:
    check_round_trip(open_store("s3://bucket/runs/x/"))


@needs_moto
@pytest.mark.slow
def test_files_come_back_from_an_s3_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with s3_server(tmp_path / "log") as endpoint:
        for name, value in {
            "AWS_ENDPOINT_URL": endpoint,
            "AWS_ACCESS_KEY_ID": "a",
            "AWS_SECRET_ACCESS_KEY": "b",
        }.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv(object_store.SCRATCH_VARIABLE, str(tmp_path / "scratch"))
        object_store._file_system.cache_clear()
        check_round_trip(open_store("s3://bucket/runs/x"))
        store = open_store("s3://no-such-bucket/x")
        with pytest.raises(UserError, match=r"no-such-bucket/x/a cannot be written: .*NO_SUCH_BUCKET"):
            store.write_text(store.mirror / "a", "1")
    object_store._file_system.cache_clear()


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("hdfs://host/runs", "scheme hdfs:// is not supported: a directory, s3://BUCKET/… or gs://BUCKET/…"),
        ("s3://bucket", "names no place in a bucket"),
        ("gs:///runs", "names no place in a bucket"),
        ("s3://bucket/../x", "names no place in a bucket"),
    ],
)
def test_other_places_are_refused_in_one_line(url: str, reason: str) -> None:
    assert is_url(url)
    with pytest.raises(UserError, match=reason):
        open_store(url)


def test_only_what_changed_is_copied(buckets: DirectoryBuckets) -> None:
    store = open_store("s3://bucket/x")
    directory = fill(store, one="1", two="2")
    store.push(directory)
    assert len(buckets.writes) == 2
    store.push(directory)
    assert len(buckets.writes) == 2
    fill(store, two="3")  # as long as before
    os.utime(directory / "two", (1, 1))
    store.push(directory)
    assert len(buckets.writes) == 3
    store.write_text(directory / "one", "9")  # by another process
    os.utime(directory / "one", (1, 1))
    store.pull(directory)
    assert texts(directory) == {"one": "9", "two": "3"}


def test_published_files_are_copied_and_done_is_last(buckets: DirectoryBuckets) -> None:
    store = open_store("s3://bucket/x")
    partial = fill(store, one="1")
    store.push(partial)
    fill(store, two="2")
    search = partial.with_name("search")
    partial.rename(search)
    (search / "done.json").write_text("{}")
    buckets.writes.clear()
    store.publish(partial, search, "done.json")
    assert buckets.writes[0].endswith("search.partial/.publishing")
    assert buckets.writes[-1].endswith("search/done.json") and len(buckets.writes) == 4


def test_outage_of_the_store_is_one_line(buckets: DirectoryBuckets) -> None:
    store = open_store("s3://bucket/x")
    directory = fill(store, one="1")
    buckets.broken = True
    with pytest.raises(UserError, match=r"r1/search\.partial/one cannot be written: the store is away"):
        store.push(directory)


def test_process_of_a_run_fetches_what_it_reads(buckets: DirectoryBuckets, monkeypatch: pytest.MonkeyPatch) -> None:
    store = open_store("s3://bucket/x")
    model = store.mirror / "rounds" / "r1" / "train_policy" / "model"
    for name in ("config.json", "tokenizer.json"):
        store.write_text(model / name, name)
    fetch_if_stored(model)
    assert store_of_run() is None and not model.exists()  # the run is in a directory
    monkeypatch.setenv(object_store.URL_VARIABLE, store.url)
    fetch_if_stored(Path("/models/x"))
    fetch_if_stored(store.mirror / "nothing")
    assert not (store.mirror / "nothing").exists()
    fetch_if_stored(model, "tokenizer.json")
    assert texts(model) == {"tokenizer.json": "tokenizer.json"}
    fetch_if_stored(model)
    assert texts(model) == {"tokenizer.json": "tokenizer.json", "config.json": "config.json"}
