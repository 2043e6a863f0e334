"""``raystar evolve``: the whole loop."""

from __future__ import annotations

import argparse

from cluster.commands import dry_run, options
from cluster.run import preflight
from cluster.run.context import running

HELP = "run all rounds of a config: search, learn, search better; started again it goes on where it stopped"


def add(parser: argparse.ArgumentParser) -> None:
    options.add(parser)


def run(args: argparse.Namespace) -> int:
    job = options.job(args)
    preflight.rounds(job.config, job.problems.train)
    if args.dry_run:
        print(
            dry_run.text(
                job.config, job.root, dry_run.evolve(job.config, dry_run.sizes(job.config, job.problems)), job.address
            )
        )
        return 0
    with running(job) as context:
        from cluster import report  # heavy: Ray, vLLM's clients and the training loop
        from cluster.evolution import evolve  # heavy: Ray, vLLM's clients and the training loop

        evolve.evolve(context)
        report.finish(context.run.root, context.progress)
    return 0
