"""``raystar token``: make the token of a cluster and take it to its machines."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from cluster.host import remote, tokens

HELP = "make the token that a cluster asks for, unless there is one, and take it to hosts"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("hosts", metavar="HOST", nargs="*", help="machine to take it to, as ssh takes it (USER@HOST)")
    parser.add_argument(
        "--cluster", metavar="FILE", type=Path, help="also to the hosts of a file of `ray up` with provider local"
    )
    parser.add_argument("--dry-run", action="store_true", help="print where the token would go and stop")


def run(args: argparse.Namespace) -> int:
    hosts = remote.named_hosts(args.hosts, args.cluster)
    path = tokens.token_path(os.environ, Path.home())
    if args.dry_run:
        state = "there" if path.exists() else "made"
        print(
            f"token: {path} is {state}; it is taken to {', '.join(host.name for host in hosts) or 'no other machine'}"
        )
        return 0
    state = "made" if tokens.make_token(path) else "there already"
    print(f"token: {path} ({state})")
    results = tokens.send_token(path, hosts)
    for result in results:
        print(f"{result.host.name}: {'has it' if result.code == 0 else f'FAILED: {result.line}'}")
    if os.environ.get("RAY_AUTH_MODE") != "token":
        print("start Ray with RAY_AUTH_MODE=token on every machine, the head included")
    return int(any(result.code for result in results))
