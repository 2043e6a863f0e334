"""Find and end what is left of Ray and of runs on this machine: `ray down` leaves workers of a local cluster running."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Sequence

import psutil

# Ray's own processes, its workers and their actors, vLLM's engine cores, fork servers and zygotes of the sandbox.
OURS = re.compile(
    r"/ray/core/src/ray/(raylet|gcs)/|/ray/(dashboard|_private|autoscaler)/\S+\.py\b|^ray(::|-dashboard|let\b)|^VLLM::"
    r"|-m actors\.sandbox\.(server|jail)\."
)
GRACE_S = 10.0  # between asking a process to end and ending it


def is_leftover(command: str) -> bool:
    """Return whether a command line is that of a process of Ray, of vLLM or of the sandbox."""
    return OURS.search(command) is not None


def find_leftovers() -> list[psutil.Process]:
    """Return this user's processes of Ray and of runs, without this process and those that it came from."""
    this = psutil.Process()
    spared = {this.pid, *(parent.pid for parent in this.parents())}
    leftovers = []
    for process in psutil.process_iter(["pid", "uids", "cmdline", "status"]):
        info = process.info
        is_mine = info["uids"] is not None and info["uids"].real == os.getuid()
        is_alive = info["status"] != psutil.STATUS_ZOMBIE
        if is_mine and is_alive and info["pid"] not in spared and is_leftover(" ".join(info["cmdline"] or ())):
            leftovers.append(process)
    return leftovers


def end_leftovers(
    find: Callable[[], Sequence[psutil.Process]] = find_leftovers, grace_s: float = GRACE_S
) -> tuple[int, list[psutil.Process]]:
    """End what ``find`` returns, gently first; return how many processes ended and those that did not."""
    processes = list(find())
    _signal(processes, psutil.Process.terminate)
    psutil.wait_procs(processes, grace_s)
    survivors = list(find())  # ending a parent may have shown children that it would have started again
    _signal(survivors, psutil.Process.kill)
    psutil.wait_procs(survivors, grace_s)
    left = list(find())
    return len({process.pid for process in (*processes, *survivors)} - {process.pid for process in left}), left


def _signal(processes: Iterable[psutil.Process], send: Callable[[psutil.Process], None]) -> None:
    for process in processes:
        try:
            send(process)
        except psutil.NoSuchProcess:
            continue
