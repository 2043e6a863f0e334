"""``raystar compare``: which strategy is worth its tokens, for one pair of models."""

from __future__ import annotations

import argparse
from pathlib import Path

from cluster import plan, preflight
from cluster.commands import options
from cluster.context import running

HELP = "compare strategies at equal numbers of generated tokens, on one set of problems"
SECTIONS = ("problems", "policy", "scorer", "executor", "workers", "evaluation", "compare", "ray")


def add(parser: argparse.ArgumentParser) -> None:
    options.add(parser, SECTIONS, suffix="-compare")
    parser.add_argument("--policy", type=Path, metavar="DIR", help="policy model (default: the config's base policy)")
    parser.add_argument("--ppm", type=Path, metavar="DIR", required=True, help="PPM model that guides and ranks")
    parser.add_argument("--split", default="validation", metavar="NAME", help="problems (default: validation)")
    parser.add_argument("--problems", type=options.positive, metavar="N", help="the first N of them (default: all)")


def run(args: argparse.Namespace) -> int:
    job = options.job(args)
    for flag, directory in (("--policy", args.policy), ("--ppm", args.ppm)):
        if directory is not None:
            preflight.model(flag, directory)
    problems = options.split(job.problems, args.split)[: args.problems]
    if args.dry_run:
        print(plan.text(job.config, job.root, plan.compare(job.config, len(problems)), job.address))
        return 0
    with running(job) as context:
        from cluster import evolution  # heavy: Ray and vLLM's clients

        evolution.compare(context, args.policy, args.ppm, problems, args.split)
    return 0
