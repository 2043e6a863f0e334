"""``raystar eval-reward-model``: measure a reward model by best-of-N, votes, and detection of first errors."""

from __future__ import annotations

import argparse
from pathlib import Path

from cluster.commands import options
from cluster.plan import stages, text
from cluster.plan.parameters import model_parameters
from cluster.reward_eval import threshold as thresholds
from cluster.reward_eval.request import REWARD_EVAL, STEPS_STAGE, THRESHOLD_STAGE, rows_inputs
from cluster.reward_eval.threshold import Threshold
from cluster.run.context import Invocation, open_context
from cluster.run.directory import RunDir, check_inputs
from search.errors import UserError
from search.evaluation import process_bench
from search.reward_models import RewardModelKind

HELP = "measure a reward model: best-of-N and voting accuracy, first-error detection (ProcessBench)"
SECTIONS = ("problems", "policy", "reward_model", "executor", "workers", "evaluation", "placement", "ray")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    options.add_config_arguments(parser, SECTIONS, suffix="-eval-reward-model")
    options.add_reward_eval_arguments(parser, "validation")
    parser.add_argument(
        "--steps",
        type=Path,
        metavar="FILE",
        help="score the steps of this file, in ProcessBench's schema, and draw no samples (default: samples of the "
        "problems, with exact step labels for curriculum problems)",
    )
    parser.add_argument(
        "--threshold-from",
        type=Path,
        metavar="FILE",
        help="solutions in the same schema on which to choose the threshold for incorrect steps (default: 30 %% of the "
        "problems, which are then not measured)",
    )
    parser.add_argument("--threshold", type=_share, metavar="X", help="threshold for incorrect steps, in [0, 1]")


def run(args: argparse.Namespace) -> int:
    invocation = options.read_invocation(args)
    threshold = _read_threshold(args)
    return _run_on_file(args, invocation, threshold) if args.steps else _run_on_samples(args, invocation, threshold)


def _run_on_samples(args: argparse.Namespace, invocation: Invocation, threshold: Threshold) -> int:
    request = options.read_request(args, invocation, REWARD_EVAL, independent=True)
    request.check(invocation.root)
    _check_threshold_stage(invocation, threshold, request.model, request.kind)
    if args.dry_run:
        models = model_parameters(invocation.config, invocation.models)
        count = options.count_problems(args, invocation.problems)
        planned = stages.score_samples(invocation.config, REWARD_EVAL, count, request.trees, models)
        print(text.format_plan(invocation, planned))
        return 0
    with open_context(invocation) as context:
        from cluster.commands import ray_commands  # heavy: Ray and vLLM's clients

        ray_commands.eval_reward_model(context, request, threshold)
    return 0


def _run_on_file(args: argparse.Namespace, invocation: Invocation, threshold: Threshold) -> int:
    for flag in ("trees", "policy", "limit"):
        if getattr(args, flag) is not None:
            raise UserError(f"--{flag}: no samples are drawn if --steps is given: leave one of them out")
    kind = options.read_kind(args, invocation.config.reward_model)
    rows, model = process_bench.read_rows(args.steps), Path(args.model)
    thresholds.check(rows, threshold)
    file = args.steps.absolute()
    check_inputs(RunDir(invocation.root).stage(STEPS_STAGE), rows_inputs(model, kind, str(file), rows))
    _check_threshold_stage(invocation, threshold, model, kind)
    if args.dry_run:
        print(text.format_plan(invocation, stages.score_file(len(rows), file)))
        return 0
    with open_context(invocation) as context:
        from cluster.commands import ray_commands  # heavy: Ray and vLLM's clients

        ray_commands.eval_reward_model_on_file(context, model, kind, file, rows, threshold)
    return 0


def _read_threshold(args: argparse.Namespace) -> Threshold:
    """Return ``--threshold``, or the rows of ``--threshold-from``. Raise UserError if both are given."""
    if args.threshold is not None and args.threshold_from is not None:
        raise UserError("--threshold and --threshold-from exclude each other: leave one of them out")
    if args.threshold_from is None:
        return Threshold(value=args.threshold)
    return Threshold(rows=process_bench.read_rows(args.threshold_from), source=str(args.threshold_from.absolute()))


def _check_threshold_stage(invocation: Invocation, threshold: Threshold, model: Path, kind: RewardModelKind) -> None:
    """Raise UserError if the run directory has scores of other rows for the threshold."""
    if threshold.rows:
        stage = RunDir(invocation.root).stage(THRESHOLD_STAGE)
        check_inputs(stage, rows_inputs(model, kind, threshold.source, threshold.rows))


def _share(text: str) -> float:
    """Parse a number in [0, 1], for argparse."""
    number = float(text)
    if not 0 <= number <= 1:
        raise argparse.ArgumentTypeError(f"{text} is not possible: a number from 0 to 1 is needed")
    return number
