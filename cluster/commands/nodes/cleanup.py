"""``raystar cleanup``: end what is left of Ray and of runs, on this machine or on hosts."""

from __future__ import annotations

import argparse
from pathlib import Path

from cluster.host import leftovers, remote

HELP = "end all processes of Ray and of runs of this user, here or on hosts: after `ray down`, or a host's trouble"
TIMEOUT_S = 120.0
SHOWN = 80  # characters of a command line


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "hosts", metavar="HOST", nargs="*", help="machine as ssh takes it (USER@HOST); none: this machine"
    )
    parser.add_argument("--cluster", metavar="FILE", type=Path, help="the hosts of a file of `ray up`, provider local")
    parser.add_argument("--dry-run", action="store_true", help="name the processes that would be ended, and stop")


def run(args: argparse.Namespace) -> int:
    hosts = remote.named_hosts(args.hosts, args.cluster)
    if not hosts:
        return _clean_this_machine(args.dry_run)
    # A login shell that reads ~/.bashrc, as Ray's launcher has: the PATH of `raystar` is set there.
    command = f"bash -lic 'raystar cleanup{' --dry-run' if args.dry_run else ''}' 2> /dev/null"
    results = remote.run_on_all(hosts, command, timeout_s=TIMEOUT_S)
    for result in results:
        print(f"{result.host.name}: {result.line or f'ended with {result.code}'}")
    return int(any(result.code for result in results))


def _clean_this_machine(dry_run: bool) -> int:
    if dry_run:
        processes = leftovers.find_leftovers()
        for process in processes:
            print(f"{process.pid}: {' '.join(process.info['cmdline'])[:SHOWN]}")
        print(f"{len(processes)} processes would be ended")
        return 0
    ended, left = leftovers.end_leftovers()
    print(f"{ended} processes ended, {len(left)} left{': ' if left else ''}{', '.join(str(p.pid) for p in left)}")
    return int(bool(left))
