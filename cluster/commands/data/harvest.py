"""``raystar harvest``: write training records from stored trees or from step labels by people."""

from __future__ import annotations

import argparse
from pathlib import Path

from cluster.commands import options
from cluster.run import preflight, stored_run
from cluster.run.directory import RunDir, check_inputs
from search.errors import UserError

HELP = "write the training records of raystar train, from stored trees or from step labels by people"
SECTIONS = ("method",)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    options.add_config_arguments(parser, SECTIONS, suffix="-harvest")
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument(
        "--trees",
        metavar="DIR",
        action="append",
        help="stored trees, harvested by the config's rule, in a directory or in an object store (s3://…, gs://…); can be "
        "repeated, and RUN/rounds/r2/search is of round 2",
    )
    source.add_argument(
        "--labels",
        type=Path,
        metavar="FILE",
        action="append",
        help="step labels in PRM800K's schema: its own files, or those of raystar select and raystar label; can be "
        "repeated",
    )


def run(args: argparse.Namespace) -> int:
    invocation = options.read_invocation(args, serves_models=False)
    from cluster.annotation import harvest  # heavy: reading records imports tokenizers

    trees = [stored_run.local_copy(place)[0].absolute() for place in args.trees or ()]
    for directory in trees:
        preflight.check_trees("--trees", directory, independent=False)
    for file in args.labels or ():
        if not file.is_file():
            raise UserError(f"--labels: no file {file}")
    if args.trees:
        inputs: dict[str, object] = {"trees": [str(directory) for directory in trees]}
        write = harvest.tree_records_writer(invocation, trees)
    else:
        labels = [file.absolute() for file in args.labels]
        inputs = {"labels": [str(file) for file in labels]}
        write = harvest.label_records_writer(labels, args.skip_bad_lines)
    stage = harvest.harvest_stage(RunDir(invocation.root))
    check_inputs(stage, inputs)
    if args.dry_run:
        print(f"would write {stage.path}")
        return 0
    harvest.run_harvest(invocation, inputs, write)
    return 0
