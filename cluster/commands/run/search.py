"""``raystar search``: search one problem set and store the trees."""

from __future__ import annotations

import argparse

from cluster.commands import options
from cluster.plan import stages, text
from cluster.plan.parameters import model_parameters
from cluster.run.context import describe_problems, open_context

HELP = "search one problem set and store the trees"
SECTIONS = ("problems", "policy", "reward_model", "executor", "workers", "search", "ray")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    options.add_config_arguments(parser, SECTIONS, suffix="-search")
    options.add_problem_arguments(parser, "train")
    options.add_model_arguments(parser, "reward model whose scores are the values (default: none)")


def run(args: argparse.Namespace) -> int:
    invocation = options.read_invocation(args)
    problems = options.read_problems(args, invocation.problems)
    if args.dry_run:
        config, models = invocation.config, model_parameters(invocation.config, invocation.models)
        scored = args.reward_model is not None or config.reward_model.endpoint is not None
        count = options.count_problems(args, invocation.problems)
        print(text.format_plan(invocation, stages.search(config, count, models, reward_model=scored)))
        for line in describe_problems(invocation.problems):
            print(line)
        return 0
    with open_context(invocation) as context:
        from cluster import report  # heavy: Ray, vLLM's clients and the training loop
        from cluster.commands import ray_commands  # heavy: Ray and vLLM's clients

        ray_commands.search(context, problems, policy=args.policy, reward_model=args.reward_model)
        report.finish(context.run.root, context.progress, str(args.config))
    return 0
