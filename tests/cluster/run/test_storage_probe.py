"""The storage probe: what a node finds, and what the driver makes of it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from cluster.run import storage_probe
from cluster.run.storage_probe import (
    LOCK,
    NodeReport,
    ProbeRequest,
    held_lock,
    judge,
    model_digest,
    probe_directory,
    visit,
)
from search.errors import UserError
from search.storage.object_store import open_store
from tests.fakes.buckets import use_buckets

GOOD = NodeReport(sees_driver=True)
ANSWERS = {"h1 (10.0.0.1)": (GOOD, True), "h2 (10.0.0.2)": (GOOD, True)}


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storage_probe, "VISIBLE_S", 0.0)


def visit_elsewhere(request: ProbeRequest) -> str:
    """Visit from another process, as on another node, and return the report's text."""
    code = (
        "from pathlib import Path; from cluster.run.storage_probe import ProbeRequest, visit; "
        f"print(visit(ProbeRequest(directory=Path({str(request.directory)!r}), nonce={request.nonce!r}), 'n1'))"
    )
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()


def test_node_writes_only_where_the_nonce_is(tmp_path: Path) -> None:
    with probe_directory(tmp_path / "runs" / "x", None) as directory:
        request = ProbeRequest(directory=directory, nonce="nonce")
        request.write("driver")
        assert visit(request, "n1").sees_driver and request.is_written("n1")
        own = tmp_path / "own-disk"
        own.mkdir()
        assert visit(ProbeRequest(directory=own, nonce="nonce"), "n2") == NodeReport(sees_driver=False)
        assert list(own.iterdir()) == []
    assert not (tmp_path / "runs").exists()  # nothing is left of what the probe made


@pytest.mark.slow
def test_lock_of_the_driver_keeps_other_processes_out(tmp_path: Path) -> None:
    with probe_directory(tmp_path, None) as directory:
        request = ProbeRequest(directory=directory, nonce="nonce")
        request.write("driver")
        with held_lock(directory / LOCK):
            assert visit_elsewhere(request) == repr(NodeReport(sees_driver=True))
        assert "respects_locks=False" in visit_elsewhere(request)  # as where locks do not cross machines
    assert tmp_path.exists()


def test_models_of_other_content_are_missing(tmp_path: Path) -> None:
    model = tmp_path / "model"
    model.mkdir()
    (model / "config.json").write_text("{}")
    digest = model_digest(model)
    models = {"policy.path": (model, digest), "--init": (tmp_path / "none", digest)}
    with probe_directory(tmp_path / "run", None) as directory:
        request = ProbeRequest(directory=directory, nonce="nonce", models=models)
        assert visit(request, "n1").missing == ("--init",)
        (model / "model.safetensors").write_text("weights")
        assert visit(request, "n1").missing == ("policy.path", "--init")


def test_probe_of_a_store_uses_objects_and_removes_them(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    buckets = use_buckets(monkeypatch, tmp_path)
    store = open_store("s3://bucket/x")
    with probe_directory(store.mirror, store) as directory:
        request = ProbeRequest(directory=directory, nonce="nonce", store=store)
        assert not visit(request, "n1").sees_driver
        request.write("driver")
        assert visit(request, "n1") == GOOD and request.is_written("n1")
        buckets.broken = True
        assert "n2 cannot be written: the store is away" in visit(request, "n2").write_error
    assert store.entries(store.mirror) == {} and not store.mirror.exists()


def test_good_reports_need_no_word() -> None:
    assert judge("/runs/x", {}, ANSWERS, []) == ()


@pytest.mark.parametrize(
    ("report", "is_seen", "message"),
    [
        (
            NodeReport(sees_driver=False),
            False,
            "run directory /runs/x is not on storage that all nodes reach: what the driver writes there is not seen on "
            "h2 (10.0.0.2): give --run-dir a place that is",
        ),
        (
            NodeReport(sees_driver=False, read_error="no credentials"),
            False,
            "is not seen on h2 (10.0.0.2) (no credentials)",
        ),
        (
            NodeReport(sees_driver=True, write_error="Read-only file system"),
            False,
            "h2 (10.0.0.2) cannot write there: Read-",
        ),
        (GOOD, False, "what is written there on h2 (10.0.0.2) is not seen by the driver"),
        (
            NodeReport(sees_driver=True, missing=("policy.path",)),
            True,
            "policy.path: the files of /models/x on h2 (10.0.0.2)",
        ),
    ],
)
def test_storage_that_is_not_shared_is_refused_by_name(report: NodeReport, is_seen: bool, message: str) -> None:
    with pytest.raises(UserError) as error:
        judge("/runs/x", {"policy.path": Path("/models/x")}, ANSWERS | {"h2 (10.0.0.2)": (report, is_seen)}, [])
    assert message in str(error.value) and "\n" not in str(error.value)


def test_locks_that_do_not_cross_nodes_are_a_warning() -> None:
    unlocked = NodeReport(sees_driver=True, respects_locks=False)
    answers = ANSWERS | {f"h{number}": (unlocked, True) for number in range(3, 12)}
    lines = judge("/runs/x", {}, answers, ["h12"])
    assert lines == (
        "warning: locks in /runs/x do not reach h3, h4, h5, h6, h7, h8 and 3 more nodes: never start a second run in this "
        "directory",
        "warning: h12 did not say in 20 s whether they reach /runs/x",
    )
