"""``raystar search``: search one problem set and store the trees."""

from __future__ import annotations

import argparse

from cluster.commands import dry_run, options, planned_stages
from cluster.run.context import open_context

HELP = "search one problem set and store the trees"
SECTIONS = ("problems", "policy", "reward_model", "executor", "workers", "search", "ray")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    options.add_config_arguments(parser, SECTIONS, suffix="-search")
    options.add_problem_arguments(parser, "train")
    options.add_model_arguments(parser, "reward model whose scores are the values (default: none)")


def run(args: argparse.Namespace) -> int:
    invocation = options.read_invocation(args)
    problems = options.read_problems(args, invocation.problems)
    options.check_models(args)
    if args.dry_run:
        stages = planned_stages.search(invocation.config, len(problems))
        print(dry_run.format_plan(invocation.config, invocation.root, stages, invocation.address))
        return 0
    with open_context(invocation) as context:
        from cluster.commands import ray_commands  # heavy: Ray and vLLM's clients

        ray_commands.search(context, problems, policy=args.policy, reward_model=args.reward_model)
    return 0
