"""``raystar evaluate``: measure a policy, with or without a reward model, on the evaluation sets."""

from __future__ import annotations

import argparse

from cluster.commands import options
from cluster.plan import stages, text
from cluster.plan.parameters import model_parameters
from cluster.run.context import open_context

HELP = "measure a policy, with or without a reward model, on the evaluation sets"
SECTIONS = ("problems", "policy", "reward_model", "executor", "workers", "search", "evaluation", "ray")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    options.add_config_arguments(parser, SECTIONS, suffix="-evaluate")
    options.add_model_arguments(parser, "reward model for best-of-N and search (default: neither is measured)")


def run(args: argparse.Namespace) -> int:
    invocation = options.read_invocation(args)
    config = invocation.config
    if args.dry_run:
        counts, models = stages.problem_counts(config, invocation.problems), model_parameters(config, invocation.models)
        scored = args.reward_model is not None or config.reward_model.endpoint is not None
        print(text.format_plan(invocation, stages.evaluate(config, counts, models, reward_model=scored)))
        return 0
    with open_context(invocation) as context:
        from cluster import report  # heavy: Ray, vLLM's clients and the training loop
        from cluster.commands import ray_commands  # heavy: Ray and vLLM's clients

        ray_commands.evaluate(context, policy=args.policy, reward_model=args.reward_model)
        report.finish(context.run.root, context.progress)
        context.progress.log(report.next_command(context.run.root))
    return 0
