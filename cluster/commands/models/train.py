"""``raystar train policy|reward_model``: train one model on harvested records."""

from __future__ import annotations

import argparse
from pathlib import Path

from cluster.commands import dry_run, options, planned_stages
from cluster.run import training_check
from cluster.run.context import open_context
from search.errors import UserError

HELP = "train a policy or a reward model on harvested records"
SECTIONS = ("policy", "train", "method", "ray")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "role",
        choices=("policy", "reward_model"),
        metavar="policy|reward_model",
        help="model to train, by the objective in method.policy or method.reward_model",
    )
    options.add_config_arguments(parser, SECTIONS, suffix="-train")
    parser.add_argument(
        "--data",
        type=Path,
        metavar="FILE",
        action="append",
        required=True,
        help="records of raystar harvest for the objective (sft: trajectories.jsonl; dpo, dpo_nll and ppm: "
        "pairs.jsonl; prm and q_regression: step_labels.jsonl; orm: outcomes.jsonl); can be repeated",
    )
    parser.add_argument("--init", metavar="MODEL", help="model to start from (default: the config's base policy)")


def run(args: argparse.Namespace) -> int:
    invocation = options.read_invocation(args)
    for file in args.data:
        if not file.is_file():
            raise UserError(f"--data: no file {file}")
    objective = invocation.config.method.objective(args.role == training_check.POLICY_ROLE)
    training_check.check_training(invocation.config, args.role, objective, args.init)
    if args.dry_run:
        stages = planned_stages.train(invocation.config, args.role, args.data)
        print(dry_run.format_plan(invocation, stages))
        return 0
    with open_context(invocation) as context:
        from cluster.commands import ray_commands  # heavy: Ray and the training loop

        ray_commands.train(context, args.role, tuple(args.data), initial_model=args.init)
    return 0
