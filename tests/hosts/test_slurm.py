"""``deploy/slurm/evolve.sbatch`` under a real Slurm on three hosts of this machine: ``make cluster-test``."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster.host.leftovers import is_leftover
from tests.hosts.ray_hosts import PROJECT, describe_hosts, hosts_by_role
from tests.hosts.room import Room
from tests.hosts.slurm_hosts import await_job, start_slurm

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(900)]

CONFIG = Path(__file__).with_name("tiny.yaml")
CPUS, RUN_S = 2, 500


@pytest.fixture(scope="module")
def room() -> Iterator[Room]:
    with Room(3, shared=[PROJECT]) as room:
        yield room


def test_batch_job_runs_on_every_host_and_ends_ray(room: Room) -> None:
    """Slurm starts Ray on all nodes of the job by ``ray symmetric-run`` and the run on the first; Ray ends with the run."""
    variables = start_slurm(room, CPUS) | {"RAYSTAR_CACHE": str(room.disk / "cache"), "RAY_USAGE_STATS_ENABLED": "0"}
    run, log = room.disk / "run", room.disk / "job.log"
    options = ["--parsable", "--nodes=3", "--gpus-per-node=0", f"--output={log}"]
    arguments = [str(CONFIG), "--run-dir", str(run)]
    script = str(PROJECT / "deploy" / "slurm" / "evolve.sbatch")
    job = room.run(1, "sbatch", *options, script, *arguments, env=variables, cwd=PROJECT).stdout.split()[-1]
    state = await_job(room, job, variables, RUN_S)
    assert state == "COMPLETED", log.read_text()[-3000:]
    assert [entry["round"] for entry in json.loads((run / "summary.json").read_text())["rounds"]] == [1, 2]
    hosts = hosts_by_role(run)
    print(f"\n{describe_hosts(hosts)}")
    addresses = {room.address(host) for host in room.hosts}
    assert hosts == dict.fromkeys(("policy", "executor", "search", "training"), addresses)
    assert {host: left for host in room.hosts if (left := list(filter(is_leftover, room.processes(host))))} == {}
