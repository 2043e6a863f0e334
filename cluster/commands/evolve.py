"""``raystar evolve``: the whole loop."""

from __future__ import annotations

import argparse

from cluster import plan, preflight
from cluster.commands import options
from cluster.context import running

HELP = "run all rounds of a config: search, learn, search better; started again it goes on where it stopped"


def add(parser: argparse.ArgumentParser) -> None:
    options.add(parser)


def run(args: argparse.Namespace) -> int:
    job = options.job(args)
    preflight.rounds(job.config, job.problems.train)
    if args.dry_run:
        print(
            plan.text(job.config, job.root, plan.evolve(job.config, plan.sizes(job.config, job.problems)), job.address)
        )
        return 0
    with running(job) as context:
        from cluster import evolution, report  # heavy: Ray, vLLM's clients and the training loop

        evolution.evolve(context)
        report.finish(context.run.root, context.progress)
    return 0
