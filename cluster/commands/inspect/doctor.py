"""``raystar doctor``: what this machine offers and lacks, a line each with the remedy."""

from __future__ import annotations

import argparse

from cluster.host import ray_session

HELP = "check versions, processor, GPUs, shared memory, isolation and Ray, a line each with the remedy"


def add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--address", metavar="HOST:PORT", help="Ray cluster to look for (default: RAY_ADDRESS if set)")
    parser.add_argument("--dry-run", action="store_true", help="name the checks and stop")


def run(args: argparse.Namespace) -> int:
    from cluster.host import doctor  # heavy: it imports each part of the stack to see whether that works

    return doctor.main(address=ray_session.requested_address(args.address), dry_run=args.dry_run)
