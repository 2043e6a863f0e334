"""``raystar evolve``: run all rounds of self-evolution."""

from __future__ import annotations

import argparse
from pathlib import Path

from cluster.commands import options
from cluster.plan import expectation, rounds, text
from cluster.plan.parameters import model_parameters
from cluster.plan.stages import problem_counts
from cluster.run import preflight
from cluster.run.checks import training_check
from cluster.run.context import open_context
from search.errors import UserError

HELP = "run all rounds: search, harvest, train, promote and evaluate; the same command resumes"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    options.add_config_arguments(parser)
    parser.add_argument(
        "--like",
        type=Path,
        metavar="RUN_DIR",
        help="with --dry-run: also expect of each stage the share of its bound that this finished run used",
    )


def run(args: argparse.Namespace) -> int:
    if args.like is not None and not args.dry_run:
        raise UserError("--like is for a plan: give --dry-run too")
    invocation = options.read_invocation(args, trains=True)
    config = invocation.config
    preflight.check_rounds(config, invocation.problems, lazy=args.dry_run)
    training_check.check_rounds_train(config)
    if args.dry_run:
        counts = problem_counts(config, invocation.problems)
        stages = rounds.evolve(config, counts, model_parameters(config, invocation.models))
        lines = [text.format_plan(invocation, stages)]
        if args.like is not None:
            shares = expectation.used_shares("--like", args.like.expanduser())
            lines.append(text.format_expectation(expectation.expected(stages, shares), args.like))
        print("\n".join(lines))
        return 0
    with open_context(invocation) as context:
        from cluster import report  # heavy: Ray, vLLM's clients and the training loop
        from cluster.evolution import evolve  # heavy: Ray, vLLM's clients and the training loop

        models = evolve.evolve(context)
        report.finish(context.run.root, context.progress)
        context.progress.log(report.next_command(context.run.root, models.policy.path))
    return 0
