"""Check at a run's start that every node of the cluster reaches the driver's run directory and the models it names.

    driver: writes a nonce into a hidden directory in the run directory, holds a lock there
    every other node, side by side: reads the nonce, writes it into a file of its own, tries the lock, looks for the models
    driver: reads the files of all nodes, and removes the directory

A node that has a directory of that name on a disk of its own does not find the nonce, and writes nothing.
"""

from __future__ import annotations

import fcntl
import hashlib
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

import ray

from cluster.host.node_tasks import NodeTask, run_on_nodes
from search.errors import UserError
from search.storage.object_store import ObjectStore

DRIVER, LOCK = "driver", "lock"  # files in the probe's directory; those of the nodes are called by their ids
POLL_S = 0.1
VISIBLE_S = 8.0  # seconds that a file may take to be seen on another node
ANSWER_S = 20.0  # seconds in which a node should have answered, the start of a process there included
NAMED = 6  # nodes that a message names


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeRequest:
    """What a node looks for: the nonce in ``directory``, and models' directories with their digests, by what names them.

    ``store``: the object store in which ``directory`` is, if it is in one.
    """

    directory: Path
    nonce: str
    store: ObjectStore | None = None
    models: Mapping[str, tuple[Path, str]] = field(default_factory=dict)

    def is_written(self, name: str) -> bool:
        """Return whether the nonce is in the file or object called ``name``. Raises OSError or UserError if that is unknown."""
        file = self.directory / name
        if self.store is not None:
            return self.store.read_text(file) == self.nonce
        return file.is_file() and file.read_text(encoding="utf-8") == self.nonce

    def write(self, name: str) -> None:
        """Write the nonce into a file or object. Raises OSError or UserError."""
        file = self.directory / name
        if self.store is not None:
            self.store.write_text(file, self.nonce)
        else:
            file.write_text(self.nonce, encoding="utf-8")


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeReport:
    """What a node found.

    ``sees_driver``: it read the driver's nonce. ``read_error``, ``write_error``: why it could not; empty if it could.
    ``respects_locks``: the driver's lock kept it out. ``missing``: what names the models that it has not.
    """

    sees_driver: bool
    read_error: str = ""
    write_error: str = ""
    respects_locks: bool = True
    missing: tuple[str, ...] = ()


def check_storage(root: Path, models: Mapping[str, Path], store: ObjectStore | None = None) -> tuple[str, ...]:
    """Raise UserError unless all nodes of the joined cluster reach ``root`` and ``models``; return warnings.

    ``models``: directories by the field or option that names each. ``store``: of a run in an object store, whose mirror
    ``root`` is. Leaves nothing behind, and no ``root`` that was not there. A node that does not answer in ANSWER_S is a
    warning, as its workers look at the directory again before they write; with a store it is refused.
    """
    here = ray.get_runtime_context().get_node_id()
    nodes = {node["NodeID"]: describe_node(node) for node in ray.nodes() if node["Alive"] and node["NodeID"] != here}
    if not nodes:
        return ()
    # A model in the run directory is shared if that is.
    outside = {name: path for name, path in models.items() if not path.is_relative_to(root)}
    digests = {name: (path, model_digest(path)) for name, path in outside.items()}
    with probe_directory(root, store) as directory:
        request = ProbeRequest(directory=directory, nonce=uuid4().hex, store=store, models=digests)
        request.write(DRIVER)
        with held_lock(directory / LOCK) if store is None else nullcontext():
            reports, silent = _ask(request, nodes)
        seen = {node: _await(partial(request.is_written, node))[0] for node in reports}
    answers = {nodes[node]: (report, seen[node]) for node, report in reports.items()}
    if store is not None and silent:  # a store that cannot be reached is found by waiting for it
        raise _refusal(
            str(store), f"{names(silent)} did not reach it in {ANSWER_S:.0f} s; it needs credentials and endpoint"
        )
    return judge(str(store or root), outside, answers, silent)


def judge(
    place: str, models: Mapping[str, Path], reports: Mapping[str, tuple[NodeReport, bool]], silent: Sequence[str]
) -> tuple[str, ...]:
    """Raise UserError if a report tells of storage that is not shared; return warnings.

    ``place``: the run directory. ``reports``: of each node, with whether the driver read what that node wrote. ``silent``:
    nodes without an answer.
    """
    if blind := [node for node, (report, _) in reports.items() if not report.sees_driver]:
        cause = reports[blind[0]][0].read_error
        fault = f"what the driver writes there is not seen on {names(blind)}"
        raise _refusal(place, f"{fault} ({cause})" if cause else fault)
    for node, (report, _) in reports.items():
        if report.write_error:
            raise UserError(f"run directory {place}: {node} cannot write there: {report.write_error}")
    if unseen := [node for node, (_, is_seen) in reports.items() if not is_seen]:
        raise _refusal(place, f"what is written there on {names(unseen)} is not seen by the driver")
    for name, path in models.items():
        if lacking := [node for node, (report, _) in reports.items() if name in report.missing]:
            raise UserError(
                f"{name}: the files of {path} on {names(lacking)} are not there or not those of the driver: keep models on "
                "storage that all nodes reach (a directory there, or HF_HOME for models of the Hub)"
            )
    warnings = []
    if unlocked := [node for node, (report, _) in reports.items() if not report.respects_locks]:
        warnings.append(
            f"warning: locks in {place} do not reach {names(unlocked)}: never start a second run in this directory"
        )
    if silent:
        warnings.append(f"warning: {names(silent)} did not say in {ANSWER_S:.0f} s whether they reach {place}")
    return tuple(warnings)


def visit(request: ProbeRequest, node: str) -> NodeReport:
    """Look at the storage from the node on which this runs, and write a file called like ``node``."""
    missing = tuple(name for name, (path, digest) in request.models.items() if model_digest(path) != digest)
    sees_driver, error = _await(partial(request.is_written, DRIVER))
    if not sees_driver:
        return NodeReport(sees_driver=False, read_error=error, missing=missing)
    try:
        request.write(node)
    except (OSError, UserError) as failure:
        return NodeReport(sees_driver=True, write_error=str(failure), missing=missing)
    is_locked = request.store is not None or _is_locked(request.directory / LOCK)
    return NodeReport(sees_driver=True, respects_locks=is_locked, missing=missing)


def model_digest(directory: Path) -> str:
    """Return a digest of the names and sizes of a directory's files and of its config.json; empty if it is not there."""
    try:
        files = sorted((file.name, file.stat().st_size) for file in directory.iterdir() if file.is_file())
        config = (directory / "config.json").read_bytes() if (directory / "config.json").is_file() else b""
    except OSError:
        return ""
    return hashlib.sha256(repr(files).encode() + config).hexdigest()


def describe_node(node: Mapping[str, Any]) -> str:
    """Return the host name and address of a node as Ray lists it."""
    return f"{node['NodeManagerHostname']} ({node['NodeManagerAddress']})"


def names(nodes: Sequence[str]) -> str:
    """Return the names of nodes, of many only the first: "a, b and 3 more nodes"."""
    shown = ", ".join(nodes[:NAMED])
    return shown if len(nodes) <= NAMED else f"{shown} and {len(nodes) - NAMED} more nodes"


@contextmanager
def probe_directory(root: Path, store: ObjectStore | None) -> Iterator[Path]:
    """Make ``root`` and a directory in it for the block; remove what was made afterwards. Raises UserError if it cannot.

    In an object store there is nothing to make.
    """
    directory = root / f".storage-probe.{uuid4().hex[:8]}.tmp"
    if store is not None:
        try:
            yield directory
        finally:
            store.remove(directory)
        return
    created = [path for path in (root, *root.parents) if not path.exists()]
    try:
        directory.mkdir(parents=True)
    except OSError as error:
        raise UserError(f"run directory {root} cannot be made: {error.strerror or error}") from error
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)
        with suppress(OSError):  # another run was begun there meanwhile
            for path in created:
                path.rmdir()


@contextmanager
def held_lock(path: Path) -> Iterator[None]:
    """Hold an exclusive lock on a file for the block, if the file system has locks."""
    with path.open("w", encoding="utf-8") as file:
        with suppress(OSError):  # no locks at all: the nodes will find that too
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield


def _is_locked(path: Path) -> bool:
    try:
        with path.open("r+", encoding="utf-8") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def _ask(request: ProbeRequest, nodes: Mapping[str, str]) -> tuple[dict[str, NodeReport], list[str]]:
    """Return the reports of the nodes by id, and the names of those without an answer in ANSWER_S."""
    outcomes = dict(run_on_nodes({node: NodeTask(node, visit, (request, node)) for node in nodes}, ANSWER_S))
    # A RayError: the node died meanwhile, or no process can be started there.
    reports = {node: outcomes[node] for node in nodes if isinstance(outcomes.get(node), NodeReport)}
    return reports, [name for node, name in nodes.items() if node not in reports]


def _await(condition: Callable[[], bool]) -> tuple[bool, str]:
    """Return whether the condition holds within VISIBLE_S, and the last error that it raised."""
    deadline, error = time.monotonic() + VISIBLE_S, ""
    while True:
        try:
            if condition():
                return True, ""
            error = ""
        except (OSError, UserError) as failure:
            error = str(failure)
        if time.monotonic() >= deadline:
            return False, error
        time.sleep(POLL_S)


def _refusal(place: str, fault: str) -> UserError:
    return UserError(
        f"run directory {place} is not on storage that all nodes reach: {fault}: give --run-dir a place that is"
    )
