"""Slurm on the hosts of a room: the controller on host 1, a node on each, without control groups."""

from __future__ import annotations

import time
from pathlib import Path

from tests.hosts.room import Room

START_S, POLL_S = 30, 0.5
SETTINGS = """
ClusterName=room
SlurmctldHost=h1({head})
SlurmUser=root
AuthType=auth/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool.%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.%n.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
SelectType=select/cons_tres
MpiDefault=none
ReturnToService=2
PartitionName=all Nodes={names} Default=YES MaxTime=INFINITE State=UP
"""


def start_slurm(room: Room, cpus: int) -> dict[str, str]:
    """Start munge and Slurm's daemons, each host a node of ``cpus`` CPUs. Return the variables that its commands need."""
    folder = room.disk / "slurm"
    (folder / "state").mkdir(parents=True)
    names = ",".join(f"h{host}" for host in room.hosts)
    nodes = [f"NodeName=h{host} NodeAddr={room.address(host)} CPUs={cpus} State=UNKNOWN" for host in room.hosts]
    settings = folder / "slurm.conf"
    settings.write_text(SETTINGS.format(head=room.address(1), folder=folder, names=names) + "\n".join(nodes) + "\n")
    variables = {"SLURM_CONF": str(settings)}
    for host in room.hosts:
        room.run(host, "bash", "-c", "install -d -o munge -g munge -m 755 /run/munge && runuser -u munge -- munged")
    room.run(1, "slurmctld", "-L", str(folder / "slurmctld.log"), env=variables)
    for host in room.hosts:
        log = str(folder / f"slurmd{host}.log")
        room.run(host, "slurmd", "-N", f"h{host}", "-L", log, env=variables)
    _await_idle(room, variables)
    return variables


def await_job(room: Room, job: str, variables: dict[str, str], deadline_s: float) -> str:
    """Return the state in which a job ended, such as "COMPLETED". Raises AssertionError past the deadline."""
    end = time.monotonic() + deadline_s
    while time.monotonic() < end:
        shown = room.run(1, "scontrol", "show", "job", job, "--oneliner", env=variables).stdout
        state = dict(item.partition("=")[::2] for item in shown.split())["JobState"]
        if state not in ("PENDING", "CONFIGURING", "RUNNING", "COMPLETING"):
            return state
        time.sleep(POLL_S)
    raise AssertionError(f"Slurm's job {job} did not end within {deadline_s:.0f} s: {shown}")


def _await_idle(room: Room, variables: dict[str, str]) -> None:
    end = time.monotonic() + START_S
    while time.monotonic() < end:
        states = room.run(1, "sinfo", "--noheader", "--Node", "--format=%T", env=variables, check=False).stdout.split()
        if states == ["idle"] * room.count:
            return
        time.sleep(POLL_S)
    logs = "\n".join(path.read_text()[-500:] for path in sorted(Path(variables["SLURM_CONF"]).parent.glob("*.log")))
    raise AssertionError(f"Slurm's nodes are {states} after {START_S} s:\n{logs}")
