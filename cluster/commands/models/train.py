"""``raystar train policy|reward_model``: train one model on harvested records."""

from __future__ import annotations

import argparse
from pathlib import Path

from cluster.commands import dry_run, options
from cluster.run import preflight
from cluster.run.context import running
from search.errors import UserError

HELP = "train one model, policy or reward model, on harvested records"
SECTIONS = ("policy", "train", "method", "ray")


def add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("role", choices=("policy", "reward_model"), help="which model")
    options.add(parser, SECTIONS, suffix="-train")
    parser.add_argument(
        "--data",
        type=Path,
        metavar="FILE",
        action="append",
        required=True,
        help="JSON lines as raystar harvest writes them, of the kind that the objective in method.policy or method.reward "
        "learns from (sft: trajectories.jsonl, dpo, dpo_nll and ppm: pairs.jsonl, prm and q_regression: "
        "step_labels.jsonl, orm: outcomes.jsonl); may be given several times",
    )
    parser.add_argument(
        "--init", type=Path, metavar="DIR", help="model to start from (default: the config's base policy)"
    )


def run(args: argparse.Namespace) -> int:
    job = options.job(args)
    for file in args.data:
        if not file.is_file():
            raise UserError(f"--data: no file {file}")
    if args.init is not None:
        preflight.model("--init", args.init)
    if args.dry_run:
        print(dry_run.text(job.config, job.root, dry_run.train(job.config, args.role, args.data), job.address))
        return 0
    with running(job) as context:
        from cluster.commands import jobs  # heavy: Ray and the training loop

        jobs.train(context, args.role, tuple(args.data), init=args.init)
    return 0
