"""Check the nodes of a running cluster for ``raystar doctor --cluster``: how many there are, each of them, and how they differ.

Every node is looked at by a task that runs on it. Packages are not imported there: `raystar doctor --node` does that.
"""

from __future__ import annotations

import os
import platform
import shutil
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from pathlib import Path

from cluster.host import doctor, joining, machine, node_checks, ray_session
from cluster.host.doctor import Check, Level, ok, problem, warning

SOURCE = Path(__file__).resolve().parents[2]
PACKAGES = ("search", "train", "actors", "cluster")
COMPARED = ("ray", "torch", "transformers", "deepspeed", *doctor.VLLM_BUILDS)
ANSWER_S = 180.0  # all nodes together have this long to look at themselves
CLOCK_S = 5.0  # seconds by which a node's clock may differ
NAMES = (
    f"nodes, code, versions, clocks; of every node: {node_checks.NAMES.partition(', ray')[0]}, GPUs, memory, …, token"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeReport:
    """What a node says of itself. ``versions`` of Python and packages; ``code`` is a digest of this project's files.

    ``clock``: seconds since the epoch on that node, ``called`` and ``answered`` on the driver.
    """

    address: str
    versions: Mapping[str, str]
    code: str
    checks: tuple[Check, ...]
    clock: float
    called: float = 0.0
    answered: float = 0.0


def main(address: str, expected: int | None, dry_run: bool = False) -> int:
    """Join the cluster and print the checks. Return 1 if one is a problem, else 0. ``expected``: nodes that there should be."""
    if dry_run:
        print(f"raystar doctor --cluster checks: {NAMES}")
        return 0
    config = ray_session.RayConfig()
    joining.check_cluster(address, config.join_deadline_s)
    with ray_session.ray_session(config, address, name="doctor"):
        reports, silent = read_reports()
    checks = [check_count(reports, silent, expected), *compare(reports), *merge(reports)]
    doctor.print_checks(checks)
    return int(any(check.level is Level.PROBLEM for check in checks))


def read_reports(answer_s: float = ANSWER_S) -> tuple[list[NodeReport], list[str]]:
    """Return the reports of the living nodes of the joined cluster, and the addresses of those that did not answer."""
    import ray  # heavy, as node_tasks is

    from cluster.host.node_tasks import NodeTask, run_on_nodes

    called = time.time()
    addresses = {node["NodeID"]: node["NodeManagerAddress"] for node in ray.nodes() if node["Alive"]}
    tasks = {node: NodeTask(node, look_at_node, (address,)) for node, address in addresses.items()}
    reports = {
        node: replace(outcome, called=called, answered=time.time())
        for node, outcome in run_on_nodes(tasks, answer_s)
        if isinstance(outcome, NodeReport)
    }
    silent = sorted(address for node, address in addresses.items() if node not in reports)
    return sorted(reports.values(), key=lambda report: report.address), silent


def look_at_node(address: str) -> NodeReport:
    """Return the report of this machine. Runs in a worker, whose parent has the environment that Ray was started in."""
    clock, host = time.time(), machine.read()
    environment = read_environment(os.getppid()) or dict(os.environ)
    path = environment.get("PATH", "")
    checks = (
        doctor.check_system(host),
        doctor.check_gpus(machine.gpus()),
        doctor.check_memory(host),
        doctor.check_shared_memory(host),
        doctor.check_disk(host),
        doctor.check_open_files(host),
        doctor.check_isolation(doctor.start_sandbox),
        node_checks.check_commands(lambda name: shutil.which(name, path=path)),
        node_checks.check_token(environment, Path.home()),
        node_checks.check_environment(environment, has_gpus=bool(machine.gpus())),
    )
    versions = {name: version for name in COMPARED if (version := doctor.installed_version(name)) is not None}
    return NodeReport(
        address=address,
        versions={"python": platform.python_version(), **versions},
        code=code_digest(SOURCE),
        checks=checks,
        clock=clock,
    )


def read_environment(pid: int) -> dict[str, str]:
    """Return the environment that a process was started with; empty if it cannot be read."""
    try:
        entries = Path(f"/proc/{pid}/environ").read_bytes().decode(errors="replace").split("\0")
    except OSError:
        return {}
    return dict(entry.split("=", 1) for entry in entries if "=" in entry)


def code_digest(root: Path) -> str:
    """Return a digest of this project's modules under ``root``, by which two machines have the same code or not."""
    digest = blake2b(digest_size=6)
    for file in sorted(path for package in PACKAGES for path in (root / package).rglob("*.py")):
        digest.update(f"{file.relative_to(root)}\0".encode() + file.read_bytes())
    return digest.hexdigest()


def check_count(reports: Sequence[NodeReport], silent: Sequence[str], expected: int | None) -> Check:
    """Check that as many nodes as ``expected`` joined, and that all of them answered."""
    state = f"{len(reports) + len(silent)}{f' of {expected}' if expected is not None else ''}"
    if silent:
        remedy = f"no answer from {', '.join(silent)}: see the raylet's log there (/tmp/ray/session_latest/logs)"
        return problem("nodes", state, remedy)
    if expected is not None and len(reports) < expected:
        present = ", ".join(report.address for report in reports)
        remedy = f"only {present} joined: on the others see what `ray start` said; has each the same token?"
        return problem("nodes", state, remedy)
    return ok("nodes", f"{state}: {', '.join(report.address for report in reports)}")


def compare(reports: Sequence[NodeReport]) -> list[Check]:
    """Check that all nodes have the same code and versions, and clocks that agree with the driver's."""
    versions: dict[str, dict[str, str]] = {
        report.address: {"code": report.code, **dict(report.versions)} for report in reports
    }
    names = list(dict.fromkeys(name for row in versions.values() for name in row))
    checks = [_same(name, {address: row.get(name, "none") for address, row in versions.items()}) for name in names]
    late = [
        f"{report.address} by {offset:+.0f} s"
        for report in reports
        if abs(offset := clock_offset(report)) > CLOCK_S + (report.answered - report.called) / 2
    ]
    if late:
        return [*checks, warning("clocks", f"differ: {', '.join(late)}", "run an NTP service on every node")]
    return [*checks, ok("clocks", f"within {CLOCK_S:g} s")]


def clock_offset(report: NodeReport) -> float:
    """Return the seconds by which a node's clock is ahead of the driver's, to half the time that its answer took."""
    return report.clock - (report.called + report.answered) / 2


def merge(reports: Sequence[NodeReport]) -> list[Check]:
    """Return the nodes' own checks, one where nodes say the same, and one a group of nodes where they differ."""
    groups: defaultdict[str, defaultdict[tuple[Level, str], list[tuple[str, Check]]]]
    groups = defaultdict(lambda: defaultdict(list))
    for report in reports:
        for check in report.checks:
            # States hold figures that differ by a little on every machine: those that are in order count as the same.
            kind = (check.level, "" if check.level is Level.OK else check.remedy)
            groups[check.name][kind].append((report.address, check))
    return [_merged(group, len(reports)) for kinds in groups.values() for group in kinds.values()]


def _merged(group: Sequence[tuple[str, Check]], nodes: int) -> Check:
    states = _unique(check.state for _, check in group)
    first = group[0][1]
    where = f"all {nodes} nodes" if len(group) == nodes else ", ".join(address for address, _ in group)
    state = states[0] if len(states) == 1 else f"{states[0]} … {states[-1]}"
    return Check(name=first.name, level=first.level, state=f"{state} ({where})", remedy=first.remedy)


def _same(name: str, values: Mapping[str, str]) -> Check:
    different = _unique(values.values())
    if len(different) <= 1:
        return ok(name, different[0] if different else "none")
    by_value = "; ".join(
        f"{value} on {', '.join(address for address, other in values.items() if other == value)}" for value in different
    )
    remedy = "bring the same project to every node" if name == "code" else "install the same lock on every node"
    return problem(name, by_value, remedy)


def _unique(values: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(values))
