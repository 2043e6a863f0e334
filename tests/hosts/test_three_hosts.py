"""The documented ways to start a run, on three hosts of this machine and from a fourth: ``make cluster-test``.

The tests use one cluster and one after the other, in the order of this file: a token is taken to its hosts, ``ray up`` starts
it, runs are submitted in every way, ``ray down`` and ``raystar cleanup`` end it.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from cluster.host.leftovers import is_leftover
from search.storage.tree_store import read_trees
from tests.hosts.launcher import write_launcher_file
from tests.hosts.ray_hosts import BIN, PROJECT, describe_hosts, head_address, hosts_by_role, trees_of
from tests.hosts.room import Room

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(1500)]

LAPTOP, NODES = 4, (1, 2, 3)
CONFIG = Path(__file__).with_name("tiny.yaml")
MARKER = "marker-of-a-secret-5d41402a"  # the value of forwarded variables, which no record may show
DASHBOARD = "http://127.0.0.1:8265"
RUN_S = 420


@dataclass(frozen=True)
class Cluster:
    """The hosts, the launcher's file, and the directory that all of them share."""

    room: Room
    file: Path

    @property
    def shared(self) -> Path:
        return self.room.disk / "shared"

    def shell(self, host: int, command: str, *, timeout: float = 60, check: bool = True) -> tuple[int, str]:
        """Run a command line as a login shell of the host does; return its exit code and output."""
        done = self.room.run(host, "bash", "-lic", command, timeout=timeout, check=check, cwd=PROJECT)
        return done.returncode, done.stdout

    def leftovers(self) -> dict[int, list[str]]:
        """Return the processes of Ray, vLLM and the sandbox on each node that has any."""
        found = {host: list(filter(is_leftover, self.room.processes(host))) for host in NODES}
        return {host: commands for host, commands in found.items() if commands}


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with Room(4, shared=[PROJECT]) as room:
        (room.disk / "shared").mkdir()
        cache = room.disk / "shared" / "raystar" / "cache"
        for host in room.hosts:
            lines = [f"PATH={BIN}:$PATH", f"RAYSTAR_CACHE={cache}", "RAY_AUTH_MODE=token", "RAY_USAGE_STATS_ENABLED=0"]
            text = "".join(f"export {line}\n" for line in lines)
            room.run(host, "bash", "-c", f"rm -f ~/.bash_profile ~/.profile; printf '%s' '{text}' > ~/.bashrc")
            room.run(host, "bash", "-c", "printf '. ~/.bashrc\\n' > ~/.profile")
        yield Cluster(room, write_launcher_file(room, workers=2))


def wait_until(condition: object, deadline_s: float) -> None:
    """Wait until ``condition()`` is true."""
    assert callable(condition)
    end = time.monotonic() + deadline_s
    while not condition():
        assert time.monotonic() < end, f"not within {deadline_s:.0f} s: {condition.__doc__ or condition}"
        time.sleep(1)


def test_token_command_takes_one_token_to_all_hosts(cluster: Cluster) -> None:
    hosts = " ".join(cluster.room.address(host) for host in NODES)
    _, output = cluster.shell(LAPTOP, f"raystar token {hosts}")
    assert output.count("has it") == len(NODES)
    show = ("bash", "-c", "stat -c %a ~/.ray/auth_token; cat ~/.ray/auth_token")
    shown = {cluster.room.run(host, *show).stdout for host in (*NODES, LAPTOP)}
    assert len(shown) == 1
    assert shown.pop().startswith("600\n")


def test_ray_up_starts_every_node_and_doctor_counts_them(cluster: Cluster) -> None:
    cluster.shell(LAPTOP, f"ray up --yes --no-config-cache {cluster.file}", timeout=180)
    doctor = f"raystar doctor --cluster --address auto --config {cluster.file}"

    def all_nodes_joined() -> bool:
        return cluster.shell(1, doctor, timeout=200, check=False)[0] == 0

    wait_until(all_nodes_joined, 240)
    code, output = cluster.shell(1, "raystar doctor --cluster --address auto --nodes 4", timeout=200, check=False)
    assert code == 1
    assert "nodes: 3 of 4" in output


def test_driver_that_disagrees_on_tokens_is_told_at_once(cluster: Cluster) -> None:
    address = head_address(cluster.room)
    for settings, reason in (
        ("RAY_AUTH_MODE=disabled", "asks for a token, but RAY_AUTH_MODE=disabled is set here"),
        ("RAY_AUTH_TOKEN=another", "asks for a token, and the one here is another"),
    ):
        command = f"{settings} raystar search {CONFIG} --address {address} --run-dir {cluster.shared}/no"
        code, output = cluster.shell(LAPTOP, command, timeout=60, check=False)
        assert (code, reason in output) == (2, True), output
        assert not (cluster.shared / "no").exists()


def test_submitted_evolve_uses_every_host_to_the_end(cluster: Cluster) -> None:
    run = cluster.shared / "evolve"
    submit = f"ray submit --no-config-cache {cluster.file} deploy/submit_evolve.py -- {CONFIG} --run-dir {run}"
    _, output = cluster.shell(LAPTOP, submit, timeout=RUN_S)
    assert [entry["round"] for entry in json.loads((run / "summary.json").read_text())["rounds"]] == [1, 2], output[
        -2000:
    ]
    manifest = json.loads((run / "manifest.json").read_text())
    assert manifest["commit"], "the project travels with git's history"
    hosts = hosts_by_role(run)
    print(f"\n{describe_hosts(hosts)}")
    addresses = {cluster.room.address(host) for host in NODES}
    assert hosts == dict.fromkeys(("policy", "executor", "search", "training"), addresses)


def test_trees_of_round_one_are_those_of_one_host(cluster: Cluster) -> None:
    """The laptop runs the same config by itself until its first search is done."""
    run = cluster.room.disk / "alone"
    driver = cluster.room.start(
        LAPTOP, "bash", "-lic", f"raystar evolve {CONFIG} --address local --run-dir {run} > {run}.log 2>&1", cwd=PROJECT
    )
    try:
        wait_until((run / "rounds" / "r1" / "search" / "done.json").exists, RUN_S)
    finally:
        cluster.shell(LAPTOP, "pkill -INT -f 'raystar evolve'", check=False)
        driver.wait(timeout=60)
    expected = trees_of(run / "rounds" / "r1" / "search")
    assert len(expected) == 24
    assert trees_of(cluster.shared / "evolve" / "rounds" / "r1" / "search") == expected


def test_submitted_job_follows_its_log_and_names_its_commit(cluster: Cluster) -> None:
    run = cluster.shared / "job"
    submit = (
        f"ray job submit --address {DASHBOARD} --working-dir . --metadata-json \"$(raystar commit)\" -- "
        f"raystar search {CONFIG} --limit 6 --run-dir {run}"
    )  # fmt: skip
    code, output = cluster.shell(1, submit, timeout=RUN_S, check=False)
    assert code == 0, output[-3000:]
    assert "joined Ray at" in output
    assert "succeeded" in output
    manifest = json.loads((run / "manifest.json").read_text())
    commit = json.loads(cluster.shell(1, "raystar commit")[1].splitlines()[-1])
    assert manifest["starts"][0]["commit"] == commit["raystar_commit"]
    assert len(list(read_trees(run / "rounds" / "r1" / "search"))) == 6


def test_stopped_job_leaves_a_run_that_resumes(cluster: Cluster) -> None:
    run = cluster.shared / "stopped"
    search = f"raystar search {CONFIG} --search.rollouts=64 --workers.trees_in_flight=2 --run-dir {run}"
    cluster.shell(
        1,
        f"ray job submit --address {DASHBOARD} --no-wait --submission-id stopped --working-dir . -- {search}",
        timeout=120,
    )
    partial = run / "rounds" / "r1" / "search.partial"

    def has_stored_trees() -> bool:
        return partial.exists() and len(list(read_trees(partial))) >= 2

    wait_until(has_stored_trees, RUN_S)
    cluster.shell(1, f"ray job stop --address {DASHBOARD} stopped", timeout=60)
    before = trees_of(partial)
    assert len(before) < 24

    def no_engine_is_left() -> bool:
        return not any(
            "VLLM::" in line or "actors.sandbox" in line for host in NODES for line in cluster.room.processes(host)
        )

    wait_until(no_engine_is_left, 30)
    _, output = cluster.shell(2, f"{search} --address {head_address(cluster.room)}", timeout=RUN_S)
    after = trees_of(run / "rounds" / "r1" / "search")
    assert len(after) == 24, output[-2000:]
    assert before.items() <= after.items()


def test_forwarded_secrets_stand_in_no_record(cluster: Cluster) -> None:
    """Engines have the variable; run directory, Ray's logs, its lists of actors and its job API do not have its value."""
    run = cluster.shared / "secret"
    secrets = f"HF_TOKEN={MARKER} WANDB_API_KEY={MARKER} https_proxy=http://user:{MARKER}@proxy.invalid:1"
    address = head_address(cluster.room)
    look = "; ".join(
        f"ray list {what} --detail --format json --limit 1000" for what in ("actors", "workers", "runtime-envs")
    )
    pages = " ".join(f"{DASHBOARD}/{page}" for page in ("api/jobs/", "api/v0/actors?detail=1", "api/v0/tasks?detail=1"))
    ask = f'for page in {pages}; do curl -s -H "Authorization: Bearer $(cat ~/.ray/auth_token)" "$page"; done'
    search = f"{secrets} raystar search {CONFIG} --limit 3 --address {address} --run-dir {run}"
    _, shown = cluster.shell(1, search, timeout=RUN_S)
    assert "HF_TOKEN, WANDB_API_KEY, https_proxy" in shown  # the names, in the line on the cluster
    _, records = cluster.shell(1, f"{look}; {ask}", timeout=120)
    assert "SearchWorker" in records
    assert MARKER not in shown + records
    for host in NODES:
        assert cluster.shell(host, f"grep -rl {MARKER} {run} /tmp/ray ~/.ray", check=False)[1].strip() == ""


def test_ray_down_and_cleanup_leave_no_process(cluster: Cluster) -> None:
    cluster.shell(LAPTOP, f"ray down --yes {cluster.file}", timeout=120)
    _, output = cluster.shell(LAPTOP, f"raystar cleanup --cluster {cluster.file}", timeout=120)
    assert output.count(", 0 left") == len(NODES)
    assert cluster.leftovers() == {}
