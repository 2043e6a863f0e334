"""A run in an object store: one driver at a time, a mirror that equals the store, stages that are complete or absent."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from cluster.run import stored_run
from cluster.run.directory import RunDir, open_run
from cluster.run.inventory import verify_run
from cluster.run.stored_run import find_run, local_copy, named_in_environment, open_mirror
from search.errors import UserError
from search.storage.object_store import URL_VARIABLE, ObjectStore, store_of_run
from tests.fakes.buckets import DirectoryBuckets, use_buckets

URL = "s3://bucket/runs/x"
CONFIG = {"name": "x", "seed": 1}


@pytest.fixture
def buckets(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> DirectoryBuckets:
    monkeypatch.setattr(stored_run, "CONTEST_S", 0.0)
    return use_buckets(monkeypatch, tmp_path)


@contextmanager
def running(seed: int = 1) -> Iterator[RunDir]:
    """Open the run as a command does."""
    root, store = find_run(URL)
    with open_mirror(store), open_run(root, CONFIG | {"seed": seed}, seed=seed, command="test", store=store) as run:
        yield run


def finish_stage(run: RunDir, name: str = "r1/search") -> None:
    with run.stage(name).writing(keep=True) as writer:
        (writer.directory / "trees-0.jsonl").write_text("")
        writer.facts.update(trees=3)


def objects(store: ObjectStore | None) -> set[str]:
    assert store is not None
    return {file.relative_to(store.mirror).as_posix() for file in store.entries(store.mirror)}


def test_run_goes_on_from_the_store_on_another_machine(buckets: DirectoryBuckets) -> None:
    with running() as run:
        finish_stage(run)
        (run.root / "summary.json").write_text("{}")
        (run.logs / "raystar.log").write_text("line\n")
        assert "lease.json" in objects(run.store)
    stored = objects(run.store)
    assert stored == {
        "config.yaml",
        "manifest.json",
        "summary.json",
        "logs/raystar.log",
        "rounds/r1/search/done.json",
        "rounds/r1/search/trees-0.jsonl",
    }
    shutil.rmtree(run.root)  # another machine
    with running() as again:
        assert again.stage("r1/search").facts()["trees"] == 3
        assert len(again.manifest.starts) == 2
        verify_run(again.root)


def test_second_driver_is_refused_while_the_first_lives(buckets: DirectoryBuckets) -> None:
    with running(), pytest.raises(UserError, match=f"{URL} is in use by process {os.getpid()} on .*: end it first"):
        find_run(URL)
    find_run(URL)


def test_lease_of_a_dead_driver_expires(buckets: DirectoryBuckets, monkeypatch: pytest.MonkeyPatch) -> None:
    with running() as run:
        assert run.store is not None
        lease = run.store.read_text(run.root / stored_run.LEASE)
    assert lease is not None
    for text, is_free in ((lease, False), ("{", True), (json.dumps(json.loads(lease) | {"time": 1.0}), True)):
        run.store.write_text(run.root / stored_run.LEASE, text)
        if is_free:
            find_run(URL)
        else:
            with pytest.raises(UserError, match="is in use by"):
                find_run(URL)


def test_store_decides_what_is_finished(buckets: DirectoryBuckets) -> None:
    with running() as run:
        finish_stage(run)
        finish_stage(run, "r1/harvest")
        assert run.store is not None
        run.store.remove(run.root / "rounds" / "r1" / "search")  # by hand, to have it made again
    with running() as again:
        assert not again.stage("r1/search").is_done and again.stage("r1/harvest").is_done


def test_interrupted_upload_of_a_stage_is_finished(buckets: DirectoryBuckets, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(self: ObjectStore, file: Path) -> None:
        if file.name == "done.json":
            raise KeyboardInterrupt
        upload(self, file)

    upload = ObjectStore.upload
    with pytest.raises(KeyboardInterrupt), running() as run:
        monkeypatch.setattr(ObjectStore, "upload", interrupt)
        finish_stage(run)
    monkeypatch.setattr(ObjectStore, "upload", upload)
    assert {"rounds/r1/search/trees-0.jsonl", "rounds/r1/search.partial/.publishing"} <= objects(run.store)
    with running() as again:  # this machine has the whole stage
        assert again.stage("r1/search").is_done
        assert "rounds/r1/search/done.json" in objects(again.store)
        assert "rounds/r1/search.partial/.publishing" not in objects(again.store)


def test_half_a_stage_of_a_lost_machine_is_removed(buckets: DirectoryBuckets) -> None:
    with running() as run:
        store, search = run.store, run.root / "rounds" / "r1" / "search"
    assert store is not None
    store.write_text(search / "trees-0.jsonl", "half")
    store.write_text(search.with_name("search.partial") / ".publishing", "")
    store.write_text(search.with_name("search.partial") / "trees-0.jsonl", "")
    with running() as again:
        assert not search.exists() and (again.stage("r1/search").partial / "trees-0.jsonl").exists()
    assert "rounds/r1/search/trees-0.jsonl" not in objects(store)


def test_mirror_of_a_removed_run_is_emptied(buckets: DirectoryBuckets) -> None:
    with running() as run:
        finish_stage(run)
    assert run.store is not None
    run.store.remove(run.root)
    with running(seed=2) as other:  # the config of the first run would be refused
        assert not other.stage("r1/search").is_done


def test_weights_stay_in_the_store_until_they_are_loaded(buckets: DirectoryBuckets) -> None:
    with running() as run, run.stage("r1/train_policy").writing() as writer:
        (writer.directory / "model").mkdir()
        for name in ("config.json", "model.safetensors"):
            (writer.directory / "model" / name).write_text(name)
    shutil.rmtree(run.root)
    with running() as again:
        model = again.stage("r1/train_policy").path / "model"
        assert (model / "config.json").exists() and not (model / "model.safetensors").exists()
        assert again.store is not None
        again.store.fetch(model)
        verify_run(again.root)


def test_processes_of_a_run_are_told_its_store(buckets: DirectoryBuckets) -> None:
    _, store = find_run(URL)
    with named_in_environment(store):
        assert store_of_run() == store
    assert URL_VARIABLE not in os.environ
    with named_in_environment(None):
        assert store_of_run() is None


def test_run_or_a_part_of_it_is_copied_to_be_read(buckets: DirectoryBuckets, tmp_path: Path) -> None:
    with running() as run:
        finish_stage(run)
    part, store = local_copy(f"{URL}/rounds/r1/search")
    assert store is not None and not part.is_relative_to(run.root)  # a run on this machine is not disturbed
    assert sorted(file.name for file in part.iterdir()) == ["done.json", "trees-0.jsonl"]
    store.remove_file(part / "trees-0.jsonl")
    assert [file.name for file in local_copy(f"{URL}/rounds/r1/search")[0].iterdir()] == ["done.json"]
    assert local_copy(tmp_path) == (tmp_path, None)
    with pytest.raises(UserError, match=r"s3://bucket/nothing holds nothing"):
        local_copy("s3://bucket/nothing")
