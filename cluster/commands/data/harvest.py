"""``raystar harvest``: records to learn from, out of stored trees or of what people labelled."""

from __future__ import annotations

import argparse
from pathlib import Path

from cluster.commands import options
from cluster.run import preflight
from cluster.run.directory import RunDir, check_inputs
from search.errors import UserError

HELP = "make the records that raystar train learns from: of stored trees by the config's rule, or of labels by people"
SECTIONS = ("harvest", "method")


def add(parser: argparse.ArgumentParser) -> None:
    options.add(parser, SECTIONS, suffix="-harvest")
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument(
        "--trees", type=Path, metavar="DIR", action="append", help="stored trees; may be given several times"
    )
    source.add_argument(
        "--people",
        type=Path,
        metavar="FILE",
        action="append",
        help="labels in PRM800K's schema: its own files, or those of raystar select and raystar label; may be given "
        "several times",
    )


def run(args: argparse.Namespace) -> int:
    job = options.job(args)
    from cluster.annotation import harvest  # heavy: what reads records knows tokenizers

    for directory in args.trees or ():
        preflight.trees("--trees", directory, independent=False)
    for file in args.people or ():
        if not file.is_file():
            raise UserError(f"--people: no file {file}")
    if args.trees:
        trees = [directory.absolute() for directory in args.trees]
        source: dict[str, object] = {"trees": [str(directory) for directory in trees]}
        write = harvest.of_trees(job, trees)
    else:
        people = [file.absolute() for file in args.people]
        source = {"people": [str(file) for file in people]}
        write = harvest.of_people(people, args.skip_bad_lines)
    stage = harvest.harvested(RunDir(job.root))
    check_inputs(stage, source)
    if args.dry_run:
        print(f"would write {stage.path}")
        return 0
    harvest.harvest(job, source, write)
    return 0
