"""``raystar search``: grow trees for one set of problems and keep them."""

from __future__ import annotations

import argparse
from pathlib import Path

from cluster import plan, preflight
from cluster.commands import options
from cluster.context import running

HELP = "search one set of problems and store the trees"
SECTIONS = ("problems", "policy", "scorer", "executor", "workers", "search", "ray")


def add(parser: argparse.ArgumentParser) -> None:
    options.add(parser, SECTIONS, suffix="-search")
    parser.add_argument("--split", default="train", help="train, validation or an evaluation set (default: train)")
    parser.add_argument("--limit", type=options.positive, metavar="N", help="only the first N problems (default: all)")
    parser.add_argument("--policy", type=Path, metavar="DIR", help="policy model (default: the config's base policy)")
    parser.add_argument("--ppm", type=Path, metavar="DIR", help="PPM model; values come from it (default: none)")


def run(args: argparse.Namespace) -> int:
    job = options.job(args)
    problems = options.split(job.problems, args.split)[: args.limit]
    for flag, directory in (("--policy", args.policy), ("--ppm", args.ppm)):
        if directory is not None:
            preflight.model(flag, directory)
    if args.dry_run:
        print(plan.text(job.config, job.root, plan.search(job.config, len(problems)), job.address))
        return 0
    with running(job) as context:
        from cluster import evolution  # heavy: Ray and vLLM's clients

        evolution.search(context, problems, policy=args.policy, ppm=args.ppm)
    return 0
