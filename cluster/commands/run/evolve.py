"""``raystar evolve``: run all rounds of self-evolution."""

from __future__ import annotations

import argparse

from cluster.commands import dry_run, options, planned_stages
from cluster.run import preflight, training_check
from cluster.run.context import open_context

HELP = "run all rounds: search, harvest, train, promote and evaluate; the same command resumes"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    options.add_config_arguments(parser)


def run(args: argparse.Namespace) -> int:
    invocation = options.read_invocation(args, trains=True)
    config = invocation.config
    preflight.check_rounds(config, invocation.problems.train)
    training_check.check_rounds_train(config)
    if args.dry_run:
        stages = planned_stages.evolve(config, planned_stages.problem_counts(config, invocation.problems))
        print(dry_run.format_plan(invocation, stages))
        return 0
    with open_context(invocation) as context:
        from cluster import report  # heavy: Ray, vLLM's clients and the training loop
        from cluster.evolution import evolve  # heavy: Ray, vLLM's clients and the training loop

        models = evolve.evolve(context)
        report.finish(context.run.root, context.progress)
        context.progress.log(report.next_command(context.run.root, models.policy.path))
    return 0
