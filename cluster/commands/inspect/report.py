"""``raystar report``: print the results of a run, finished or not; write its summary.json and report.html."""

from __future__ import annotations

import argparse

from cluster import report
from cluster.run import directory, inventory, manifest, stored_run
from cluster.run.progress import Progress
from search.errors import UserError

HELP = "print the results of a run, finished or not; write its summary.json and report.html"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "run_dir", metavar="RUN_DIR", help="run directory, for example runs/arithmetic, or s3://… or gs://…"
    )
    parser.add_argument("--dry-run", action="store_true", help="print what would be written and stop")
    parser.add_argument(
        "--verify", action="store_true", help="compare every byte of finished stages, weights too, with their digests"
    )


def run(args: argparse.Namespace) -> int:
    root, store = stored_run.local_copy(args.run_dir, weights=args.verify)
    if not (root / directory.MANIFEST).is_file():
        raise UserError(f"{args.run_dir} is not a RayStar run directory: it has no {directory.MANIFEST}")
    manifest.read_manifest(root / directory.MANIFEST).check(root)
    inventory.verify_run(root, full=args.verify, weights=store is None or args.verify)
    if args.dry_run:
        print(f"would write {store or root}/{report.SUMMARY} and {store or root}/{report.HTML}")
        return 0
    with Progress() as progress:
        report.finish(root, progress)
    if store is not None:
        store.push(root, [root / report.SUMMARY, root / report.HTML])
    return 0
