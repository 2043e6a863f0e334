"""Runs in an object store, on three hosts whose disks are their own: every host uploads, any host goes on from the store."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from search.storage.tree_store import read_trees
from tests.fakes.buckets import BUCKET, MOTO, needs_moto
from tests.fakes.tiny_model import make_policy
from tests.hosts.ray_hosts import NO_TOKENS, PROJECT, head_address, hosts_by_role, start_ray
from tests.hosts.room import Room
from tests.hosts.test_scripted_search import CONFIG

pytestmark = [pytest.mark.cluster, needs_moto, pytest.mark.timeout(900)]

PORT = 5500
SCRIPT = PROJECT / "tests" / "integration" / "scripted_evolve.py"
MAKE_BUCKET = "import sys, urllib.request as u; u.urlopen(u.Request(sys.argv[1], method='PUT')).close()"
RUN = f"s3://{BUCKET}/runs/x"


class StoreRoom:
    """Three hosts with Ray, and an S3 server in the first one. Only the driver's environment has its address and a key."""

    def __init__(self, room: Room) -> None:
        self.room, endpoint = room, f"http://{room.address(1)}:{PORT}"
        self.environment = {
            **NO_TOKENS,
            "PYTHONPATH": str(PROJECT),
            "RAYSTAR_SCRATCH": "/tmp/scratch",  # each host's own
            "AWS_ENDPOINT_URL": endpoint,
            "AWS_ACCESS_KEY_ID": "key",
            "AWS_SECRET_ACCESS_KEY": "secret",
        }
        self.server = room.start(1, str(MOTO), "-H", "0.0.0.0", "-p", str(PORT))
        wait = f'until {sys.executable} -c "{MAKE_BUCKET}" {endpoint}/{BUCKET}; do sleep 0.5; done'
        room.run(1, "bash", "-c", f"{{ {wait}; }} 2> /dev/null", timeout=90)

    def raystar(self, host: int, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        command = (sys.executable, str(SCRIPT), *arguments)
        return self.room.run(host, *command, env=self.environment, cwd=Path("/"), timeout=300, check=check)

    def search(self, host: int) -> str:
        """Search from a host, or go on with it; return the output."""
        options = ["--policy", str(self.room.disk / "policy"), "--run-dir", RUN, "--address", head_address(self.room)]
        return self.raystar(host, "search", str(self.room.disk / "config.yaml"), *options).stdout


@pytest.fixture(scope="module")
def hosts() -> Iterator[StoreRoom]:
    with Room(3, shared=[PROJECT]) as room:
        start_ray(room, [2, 2, 2], NO_TOKENS)
        (room.disk / "config.yaml").write_text(CONFIG)
        make_policy(room.disk / "policy", width=32, intermediate=64, layers=1, heads=2, positions=2048)
        hosts = StoreRoom(room)
        yield hosts
        hosts.server.kill()


def copy_to_disk(hosts: StoreRoom, host: int) -> Path:
    """Copy the mirror of a host to the disk that this process sees, and return the run's directory there."""
    target = hosts.room.disk / f"mirror-{host}"
    hosts.room.run(host, "cp", "-r", f"/tmp/scratch/runs/s3/{BUCKET}/runs/x", str(target))
    return target


def test_every_host_uploads_the_trees_of_its_workers(hosts: StoreRoom) -> None:
    hosts.search(2)
    run = copy_to_disk(hosts, 2)
    stage = run / "rounds" / "r1" / "search"
    assert len(list(read_trees(stage))) == json.loads((stage / "done.json").read_text())["trees"] == 30
    addresses = {hosts.room.address(host) for host in hosts.room.hosts}
    assert hosts_by_role(run)["search"] == addresses
    assert len({file.name.split("-")[1] for file in stage.glob("trees-*.jsonl")}) == 3  # segments of all three workers


def test_other_host_goes_on_from_the_store(hosts: StoreRoom) -> None:
    """The driver's host is lost with its disk; the same command on another host has nothing left to search."""
    hosts.room.run(2, "rm", "-rf", "/tmp/scratch")
    hosts.search(3)
    run = copy_to_disk(hosts, 3)
    assert len(json.loads((run / "manifest.json").read_text())["starts"]) == 2
    assert len(list(read_trees(run / "rounds" / "r1" / "search"))) == 30


def test_harvest_and_report_read_from_the_store(hosts: StoreRoom) -> None:
    assert "30" in hosts.raystar(1, "report", RUN).stdout
    config = str(hosts.room.disk / "config.yaml")
    output = hosts.raystar(
        1, "harvest", config, "--trees", f"{RUN}/rounds/r1/search", "--run-dir", f"s3://{BUCKET}/runs/records"
    ).stdout
    assert "records" in output


def test_store_that_nodes_cannot_reach_is_refused(hosts: StoreRoom) -> None:
    config = str(hosts.room.disk / "config.yaml")
    options = ["--policy", str(hosts.room.disk / "policy"), "--address", head_address(hosts.room)]
    forward = "--ray.forward_env=[]"
    done = hosts.raystar(2, "search", config, "--run-dir", f"s3://{BUCKET}/runs/y", forward, *options, check=False)
    assert (done.returncode, "is not on storage that all nodes reach" in done.stdout) == (2, True), done.stdout
    done = hosts.raystar(2, "search", config, "--run-dir", "hdfs://name/runs/y", *options, check=False)
    assert (done.returncode, "scheme hdfs:// is not supported" in done.stdout) == (2, True), done.stdout
