"""``raystar doctor``: check this machine, one line per check, with its remedy."""

from __future__ import annotations

import argparse

from cluster.host import ray_session

HELP = "check this machine: versions, processor, GPUs, memory, isolation and Ray, with remedies"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--address", metavar="HOST:PORT", help="Ray cluster to look for (default: RAY_ADDRESS if set)")
    parser.add_argument("--dry-run", action="store_true", help="print the names of the checks and stop")


def run(args: argparse.Namespace) -> int:
    from cluster.host import doctor  # heavy: it imports each package of the stack to see whether that works

    return doctor.main(address=ray_session.requested_address(args.address), dry_run=args.dry_run)
