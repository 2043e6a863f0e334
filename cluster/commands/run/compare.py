"""``raystar compare``: compare search strategies at equal numbers of generated tokens."""

from __future__ import annotations

import argparse

from cluster.commands import dry_run, options, planned_stages
from cluster.run.context import open_context
from search.errors import UserError

HELP = "compare search strategies at equal numbers of generated tokens, on one problem set"
SECTIONS = ("problems", "policy", "reward_model", "executor", "workers", "evaluation", "compare", "ray")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    options.add_config_arguments(parser, SECTIONS, suffix="-compare")
    options.add_model_arguments(parser, "reward model, for the strategies that need scores")
    options.add_problem_arguments(parser, "validation")


def run(args: argparse.Namespace) -> int:
    invocation = options.read_invocation(args)
    config = invocation.config
    guided = config.compare.reading_scores(config.evaluation.search)
    if guided and args.reward_model is None and config.reward_model.endpoint is None:
        raise UserError(
            f"--reward-model: {', '.join(guided)} need scores of a reward model: name its directory, or compare others"
        )
    problems = options.read_problems(args, invocation.problems)
    if args.dry_run:
        print(dry_run.format_plan(invocation, planned_stages.compare(config, len(problems))))
        return 0
    with open_context(invocation) as context:
        from cluster.commands import ray_commands  # heavy: Ray and vLLM's clients

        ray_commands.compare(context, args.policy, args.reward_model, problems, args.split)
    return 0
