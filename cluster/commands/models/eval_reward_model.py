"""``raystar judge``: what a reward model is worth, as a chooser among samples and as a finder of wrong steps."""

from __future__ import annotations

import argparse
from pathlib import Path

from cluster.commands import dry_run, options
from cluster.reward_eval import threshold as thresholds
from cluster.reward_eval.request import rows_given
from cluster.reward_eval.threshold import Threshold
from cluster.run import preflight
from cluster.run.context import Invocation, running
from cluster.run.directory import RunDir, check_inputs
from search.errors import UserError
from search.evaluation import process_bench

HELP = "measure a reward model: best-of-N and votes by N, and how well it finds first wrong steps"
SECTIONS = ("problems", "policy", "reward_model", "executor", "workers", "evaluation", "placement", "ray")


def add(parser: argparse.ArgumentParser) -> None:
    options.add(parser, SECTIONS, suffix="-judge")
    options.add_judge(parser, "validation")
    parser.add_argument(
        "--steps",
        type=Path,
        metavar="FILE",
        help="judge the steps of this file, in ProcessBench's schema, and draw nothing (default: samples of the "
        "problems, whose steps are checked exactly where they are the curriculum's)",
    )
    parser.add_argument(
        "--threshold-from",
        type=Path,
        metavar="FILE",
        help="solutions in the same schema that choose the threshold for wrong steps (default: 30 %% of the problems, "
        "which are then not measured)",
    )
    parser.add_argument("--threshold", type=_share, metavar="X", help="the threshold itself, from 0 to 1")


def run(args: argparse.Namespace) -> int:
    job = options.job(args)
    threshold = _threshold(args)
    return _file(args, job, threshold) if args.steps is not None else _samples(args, job, threshold)


def _samples(args: argparse.Namespace, job: Invocation, threshold: Threshold) -> int:
    asked = options.asked(args, job.problems, independent=True)
    asked.check(job.root)
    _check_choosing(job, threshold, asked.model)
    if args.dry_run:
        stages = dry_run.judge(job.config, "judge", len(asked.problems), asked.trees)
        print(dry_run.text(job.config, job.root, stages, job.address))
        return 0
    with running(job) as context:
        from cluster.commands import jobs  # heavy: Ray and vLLM's clients

        jobs.judge(context, asked, threshold)
    return 0


def _file(args: argparse.Namespace, job: Invocation, threshold: Threshold) -> int:
    for flag in ("trees", "policy", "limit"):
        if getattr(args, flag) is not None:
            raise UserError(f"--{flag}: nothing is drawn where --steps are given: leave one of them out")
    kind = preflight.judge("--model", args.model, args.kind)
    rows, model = process_bench.read(args.steps), args.model.absolute()
    thresholds.check(rows, threshold)
    file = args.steps.absolute()
    check_inputs(RunDir(job.root).stage("judge/steps"), rows_given(model, str(file), rows))
    _check_choosing(job, threshold, model)
    if args.dry_run:
        print(dry_run.text(job.config, job.root, dry_run.judge_file(len(rows), file), job.address))
        return 0
    with running(job) as context:
        from cluster.commands import jobs  # heavy: Ray and vLLM's clients

        jobs.judge_file(context, model, kind, file, rows, threshold)
    return 0


def _threshold(args: argparse.Namespace) -> Threshold:
    if args.threshold is not None and args.threshold_from is not None:
        raise UserError("--threshold and --threshold-from exclude each other: leave one of them out")
    if args.threshold_from is None:
        return Threshold(args.threshold)
    return Threshold(rows=process_bench.read(args.threshold_from), source=str(args.threshold_from.absolute()))


def _check_choosing(job: Invocation, threshold: Threshold, model: Path) -> None:
    if threshold.rows:
        stage = RunDir(job.root).stage("judge/choosing")
        check_inputs(stage, rows_given(model, threshold.source, threshold.rows))


def _share(text: str) -> float:
    """A number from 0 to 1, for argparse."""
    number = float(text)
    if not 0 <= number <= 1:
        raise argparse.ArgumentTypeError(f"{text} is not possible: a number from 0 to 1 is needed")
    return number
