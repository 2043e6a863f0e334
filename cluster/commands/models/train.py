"""``raystar train policy|reward_model``: train one model on harvested records."""

from __future__ import annotations

import argparse
from pathlib import Path

from cluster.commands import options
from cluster.plan import stages, text
from cluster.plan.parameters import training_parameters
from cluster.plan.training import count_records
from cluster.run.checks import training_check
from cluster.run.context import open_context
from search.errors import UserError
from train.data.records import read_records
from train.objectives import OBJECTIVES
from train.record_files import RECORD_TYPES

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


def check_first_record(file: Path, objective: str) -> None:
    """Raise UserError unless the first line of a file is a record that the objective learns from."""
    name = OBJECTIVES[objective].records
    try:
        next(read_records(RECORD_TYPES[name], [file]), None)
    except UserError as error:
        raise UserError(f"--data: {objective} learns from {name} of a harvest: {error}") from error


def run(args: argparse.Namespace) -> int:
    invocation = options.read_invocation(args)
    objective = invocation.config.method.objective(args.role == training_check.POLICY_ROLE)
    for file in args.data:
        if not file.is_file():
            raise UserError(f"--data: no file {file}")
        check_first_record(file, objective)
    training_check.check_training(invocation.config, args.role, objective, args.init)
    if args.dry_run:
        parameters = training_parameters(invocation.config, invocation.models)
        stage = stages.train(invocation.config, args.role, args.data, parameters, count_records(args.data))
        print(text.format_plan(invocation, stage))
        return 0
    with open_context(invocation) as context:
        from cluster.commands import ray_commands  # heavy: Ray and the training loop

        ray_commands.train(context, args.role, tuple(args.data), initial_model=args.init)
    return 0
