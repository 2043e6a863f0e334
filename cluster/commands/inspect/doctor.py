"""``raystar doctor``: check this machine, one line per check, with its remedy."""

from __future__ import annotations

import argparse
from pathlib import Path

from cluster.host import ray_session, remote
from search.errors import UserError

HELP = "check this machine: versions, processor, GPUs, memory, isolation and Ray, with remedies"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--address", metavar="HOST:PORT", help="Ray cluster to look for (default: RAY_ADDRESS if set)")
    parser.add_argument(
        "--node", action="store_true", help="check this machine as a node of a cluster, before Ray runs on it"
    )
    parser.add_argument("--cluster", action="store_true", help="check every node of the cluster at --address")
    parser.add_argument("--nodes", type=int, metavar="N", help="with --cluster: how many nodes there should be")
    parser.add_argument(
        "--config",
        type=Path,
        metavar="FILE",
        help="with --cluster: the file of `ray up` that says how many there should be",
    )
    parser.add_argument("--dry-run", action="store_true", help="print the names of the checks and stop")


def run(args: argparse.Namespace) -> int:
    address = ray_session.requested_address(args.address)
    if args.cluster:
        if address is None and not args.dry_run:
            raise UserError("--cluster: which one? give --address HOST:PORT, or auto on a node of it")
        expected = remote.expected_nodes(remote.read_cluster_file(args.config)) if args.config else args.nodes
        from cluster.host import cluster_checks  # heavy, as below

        return cluster_checks.main(address or "", expected, dry_run=args.dry_run)
    if args.node:
        from cluster.host import node_checks  # heavy, as below

        return node_checks.main(dry_run=args.dry_run)
    from cluster.host import doctor  # heavy: it imports each package of the stack to see whether that works

    return doctor.main(address=address, dry_run=args.dry_run)
