"""``raystar select``: select the solutions that a person should label next."""

from __future__ import annotations

import argparse
from pathlib import Path

from cluster.commands import options
from cluster.plan import stages, text
from cluster.plan.parameters import model_parameters
from cluster.reward_eval.request import SELECT
from cluster.run.context import open_context
from search.errors import UserError

HELP = "select solutions for raystar label: mostly incorrect ones that the reward model scores high"
SECTIONS = ("problems", "policy", "reward_model", "executor", "workers", "evaluation", "placement", "ray")
OUTPUT = "labelling.jsonl"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    options.add_config_arguments(parser, SECTIONS, suffix="-select")
    options.add_reward_eval_arguments(parser, "train")
    parser.add_argument(
        "--count",
        type=options.positive_int,
        default=5,
        metavar="N",
        help="solutions of each problem, 80 %% of them incorrect if there are enough (default: 5)",
    )
    parser.add_argument("--together", action="store_true", help="--count is for all problems together")
    parser.add_argument(
        "--output", type=Path, metavar="FILE", help=f"labelling file to write (default: {OUTPUT} in the run directory)"
    )
    parser.add_argument(
        "--generation", type=int, metavar="N", help="labelling round, as a field of the file (default: none)"
    )


def run(args: argparse.Namespace) -> int:
    invocation = options.read_invocation(args)
    request = options.read_request(args, invocation, SELECT, independent=False)
    output = (args.output or invocation.root / OUTPUT).expanduser().absolute()
    if output.exists():
        raise UserError(f"{output} exists and may hold labels: give another --output, or move it away")
    if args.output is not None and not output.parent.is_dir():
        raise UserError(f"--output: no directory {output.parent}")
    request.check(invocation.root)
    if args.dry_run:
        models = model_parameters(invocation.config, invocation.models)
        count = options.count_problems(args, invocation.problems)
        planned = stages.score_samples(invocation.config, SELECT, count, request.trees, models)
        print(text.format_plan(invocation, planned))
        return 0
    with open_context(invocation) as context:
        from cluster.annotation.choose_solutions import SelectionRequest  # heavy: Ray and vLLM's clients
        from cluster.commands import ray_commands  # heavy: Ray and vLLM's clients

        selection = SelectionRequest(
            count=args.count, together=args.together, output=output, generation=args.generation
        )
        ray_commands.select(context, request, selection)
    return 0
