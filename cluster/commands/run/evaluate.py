"""``raystar evaluate``: measure a policy, and a PPM with it, on the held-out problems."""

from __future__ import annotations

import argparse

from cluster.commands import dry_run, options
from cluster.run.context import running

HELP = "measure a policy, and a PPM with it, on the held-out problems"
SECTIONS = ("problems", "policy", "reward_model", "executor", "workers", "search", "evaluation", "ray")


def add(parser: argparse.ArgumentParser) -> None:
    options.add(parser, SECTIONS, suffix="-evaluate")
    options.add_models(parser, "PPM model for best-of and search (default: none)")


def run(args: argparse.Namespace) -> int:
    job = options.job(args)
    options.check_models(args)
    if args.dry_run:
        stages = dry_run.evaluate(
            job.config, dry_run.sizes(job.config, job.problems), reward_model=args.reward_model is not None
        )
        print(dry_run.text(job.config, job.root, stages, job.address))
        return 0
    with running(job) as context:
        from cluster.commands import jobs  # heavy: Ray and vLLM's clients

        jobs.evaluate(context, policy=args.policy, reward_model=args.reward_model)
    return 0
