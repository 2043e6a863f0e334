"""``raystar report``: the table, summary.json and report.html of a run, as far as it has come."""

from __future__ import annotations

import argparse
from pathlib import Path

from cluster import report
from cluster.run import directory, manifest
from cluster.run.progress import Progress
from search.errors import UserError

HELP = "print the table of a run and write its summary.json and report.html, finished or not"


def add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run_dir", metavar="RUN_DIR", type=Path, help="run directory, for example runs/arithmetic")
    parser.add_argument("--dry-run", action="store_true", help="say what would be written and stop")


def run(args: argparse.Namespace) -> int:
    root: Path = args.run_dir
    if not (root / directory.MANIFEST).is_file():
        raise UserError(f"{root} is not a RayStar run directory: it has no {directory.MANIFEST}")
    manifest.load(root / directory.MANIFEST).check(root)
    if args.dry_run:
        print(f"would write {root / report.SUMMARY} and {root / report.HTML}")
        return 0
    with Progress() as progress:
        report.finish(root, progress)
    return 0
