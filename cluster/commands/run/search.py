"""``raystar search``: grow trees for one set of problems and keep them."""

from __future__ import annotations

import argparse

from cluster.commands import dry_run, options
from cluster.run.context import running

HELP = "search one set of problems and store the trees"
SECTIONS = ("problems", "policy", "reward_model", "executor", "workers", "search", "ray")


def add(parser: argparse.ArgumentParser) -> None:
    options.add(parser, SECTIONS, suffix="-search")
    parser.add_argument("--split", default="train", help="train, validation or an evaluation set (default: train)")
    parser.add_argument("--limit", type=options.positive, metavar="N", help="only the first N problems (default: all)")
    options.add_models(parser, "PPM model; values come from it (default: none)")


def run(args: argparse.Namespace) -> int:
    job = options.job(args)
    problems = options.split(job.problems, args.split)[: args.limit]
    options.check_models(args)
    if args.dry_run:
        print(dry_run.text(job.config, job.root, dry_run.search(job.config, len(problems)), job.address))
        return 0
    with running(job) as context:
        from cluster.commands import jobs  # heavy: Ray and vLLM's clients

        jobs.search(context, problems, policy=args.policy, reward_model=args.reward_model)
    return 0
