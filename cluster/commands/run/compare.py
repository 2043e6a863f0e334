"""``raystar compare``: which strategy is worth its tokens, for one pair of models."""

from __future__ import annotations

import argparse

from cluster.commands import dry_run, options
from cluster.run.context import running
from search.errors import UserError

HELP = "compare strategies at equal numbers of generated tokens, on one set of problems"
SECTIONS = ("problems", "policy", "reward_model", "executor", "workers", "evaluation", "compare", "ray")


def add(parser: argparse.ArgumentParser) -> None:
    options.add(parser, SECTIONS, suffix="-compare")
    options.add_models(parser, "PPM model that guides and ranks, for the strategies that read scores")
    parser.add_argument("--split", default="validation", metavar="NAME", help="problems (default: validation)")
    parser.add_argument("--limit", type=options.positive, metavar="N", help="only the first N problems (default: all)")


def run(args: argparse.Namespace) -> int:
    job = options.job(args)
    options.check_models(args)
    guided = job.config.compare.guided(job.config.evaluation.search)
    if guided and args.reward_model is None:
        raise UserError(
            f"--reward-model: {', '.join(guided)} read a PPM's scores: name its directory, or compare others"
        )
    problems = options.split(job.problems, args.split)[: args.limit]
    if args.dry_run:
        print(dry_run.text(job.config, job.root, dry_run.compare(job.config, len(problems)), job.address))
        return 0
    with running(job) as context:
        from cluster.commands import jobs  # heavy: Ray and vLLM's clients

        jobs.compare(context, args.policy, args.reward_model, problems, args.split)
    return 0
