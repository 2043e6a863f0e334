"""``raystar select``: which solutions a person should label next."""

from __future__ import annotations

import argparse
from pathlib import Path

from cluster.commands import dry_run, options
from cluster.run.context import running
from search.errors import UserError

HELP = "choose solutions to label, convincing wrong ones first, and write them as a file for raystar label"
SECTIONS = ("problems", "policy", "reward_model", "executor", "workers", "evaluation", "placement", "ray")
OUTPUT = "labelling.jsonl"


def add(parser: argparse.ArgumentParser) -> None:
    options.add(parser, SECTIONS, suffix="-select")
    options.add_judge(parser, "train")
    parser.add_argument(
        "--count",
        type=options.positive,
        default=5,
        metavar="N",
        help="solutions of each problem, 80 %% of them wrong where there are so many (default: 5)",
    )
    parser.add_argument("--together", action="store_true", help="N solutions of all problems together")
    parser.add_argument(
        "--output", type=Path, metavar="FILE", help=f"labelling file (default: {OUTPUT} in the run directory)"
    )
    parser.add_argument(
        "--generation", type=int, metavar="N", help="round of labelling, as the file keeps it (default: none)"
    )


def run(args: argparse.Namespace) -> int:
    job = options.job(args)
    asked = options.asked(args, job.problems, independent=False)
    output = (args.output or job.root / OUTPUT).expanduser().absolute()
    if output.exists():
        raise UserError(f"{output} exists and may hold labels: give another --output, or move it away")
    if args.output is not None and not output.parent.is_dir():
        raise UserError(f"--output: no directory {output.parent}")
    asked.check(job.root)
    if args.dry_run:
        stages = dry_run.judge(job.config, "select", len(asked.problems), asked.trees)
        print(dry_run.text(job.config, job.root, stages, job.address))
        return 0
    with running(job) as context:
        from cluster.annotation import choose_solutions  # heavy: Ray and vLLM's clients
        from cluster.commands import jobs  # heavy: Ray and vLLM's clients

        jobs.select(context, asked, choose_solutions.Selection(args.count, args.together, output, args.generation))
    return 0
