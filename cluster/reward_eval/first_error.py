"""Measure how well a reward model finds the first incorrect step, by the ProcessBench protocol.

The rows come from a file, or are samples of curriculum problems, whose steps can be checked exactly.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

from actors.sandbox.client.executor import LocalExecutor
from cluster.reward_eval import exact_check, step_scores
from cluster.reward_eval.request import (
    EXACT_CHECK_STAGE,
    STEPS_STAGE,
    THRESHOLD_STAGE,
    RewardEvalRequest,
    rows_inputs,
)
from cluster.reward_eval.samples import SCORES, step_probabilities
from cluster.reward_eval.step_scores import ScoringTask, SolutionLogits, prefixes
from cluster.reward_eval.threshold import Threshold, measure
from cluster.run.context import Context
from cluster.run.directory import write_inputs
from cluster.run.models import REWARD_MODEL, model_ref
from cluster.searches.runner import SearchRunner
from search.data import Problem, State
from search.errors import UserError
from search.evaluation import process_bench
from search.evaluation.process_bench import ProcessRow, ProcessScore, ScoredSteps
from search.formats.base import StepFormat, steps_of_texts
from search.reward_models import RewardModelKind
from search.storage.files import write_text

PROCESS_ROWS = "process_bench.jsonl"


def measure_file(
    context: Context,
    runner: SearchRunner,
    model: Path,
    kind: RewardModelKind,
    file: Path,
    rows: Sequence[ProcessRow],
    threshold: Threshold,
) -> ProcessScore:
    """Return the protocol's numbers for the rows of a file."""
    scores = score_rows(context, runner, model, kind, STEPS_STAGE, str(file), rows)
    return measure(rows, scores, threshold, _score_threshold_rows(context, runner, model, kind, threshold))


def measure_samples(
    context: Context,
    runner: SearchRunner,
    request: RewardEvalRequest,
    logits: dict[str, SolutionLogits],
    threshold: Threshold,
) -> ProcessScore | None:
    """Return the protocol's numbers for samples of curriculum problems; log why and return None where there are none.

    Of each problem at most one solution with an error and one without are measured.
    """
    step_format = context.prompting.bare_format(request.policy or context.config.policy.path)
    first = next(request.read_trees(context.run), None)
    if first is None or not exact_check.is_checkable(first.problem, step_format):
        context.progress.log(
            "steps are not measured: only the curriculum's can be checked; --steps takes a labelled file"
        )
        return None
    try:
        rows = _check_samples(context, request, step_format)
        threshold_scores = _score_threshold_rows(context, runner, request.model, request.kind, threshold)
        return measure(rows, _sample_scores(context, request, logits, rows), threshold, threshold_scores)
    except UserError as error:  # the curves are valid without it
        context.progress.log(f"steps are not measured: {error}")
        return None


def _sample_scores(
    context: Context, request: RewardEvalRequest, logits: dict[str, SolutionLogits], rows: Sequence[ProcessRow]
) -> list[ScoredSteps]:
    """Return the step scores of checked samples, which have logits already. A row's id ends in the sample's index."""
    scores: list[ScoredSteps] = []
    for row in rows:
        tree, _, index = row.id.rpartition("/")
        of_tree = step_probabilities(logits[tree], request.kind, context.config.evaluation.search.squash_scale)
        scores.append(ScoredSteps(row.label, of_tree[int(index)]))
    return scores


def row_states(row: ProcessRow, step_format: StepFormat) -> tuple[State, ...]:
    """Return the states after each step of a row, as a reward model reads them."""
    problem = Problem(id=row.id, question=row.problem, answer="", source=row.generator)
    return prefixes(State(problem, steps_of_texts(step_format, row.steps)))


def _score_threshold_rows(
    context: Context, runner: SearchRunner, model: Path, kind: RewardModelKind, threshold: Threshold
) -> list[ScoredSteps]:
    return score_rows(context, runner, model, kind, THRESHOLD_STAGE, threshold.source, threshold.rows)


def score_rows(
    context: Context,
    runner: SearchRunner,
    model: Path,
    kind: RewardModelKind,
    stage_name: str,
    source: str,
    rows: Sequence[ProcessRow],
) -> list[ScoredSteps]:
    """Run the stage that scores the steps of ``rows`` and return the scores in [0, 1], in the order of the rows."""
    if not rows:
        return []
    step_format = context.prompting.reward_model_format(model, context.config.policy.path)
    stage = context.run.stage(stage_name)
    if not stage.is_done:
        tasks = (ScoringTask(str(index), (row_states(row, step_format),)) for index, row in enumerate(rows))
        with stage.writing(keep=True) as writer:
            write_inputs(writer.directory, rows_inputs(model, kind, source, rows))
            step_scores.score(
                context,
                runner,
                model_ref(REWARD_MODEL, model, 0, kind),
                tasks,
                total=len(rows),
                file=writer.directory / SCORES,
                title=f"score {stage.name}",
            )
    logits, scale = step_scores.read_logits(stage.path / SCORES), context.config.evaluation.search.squash_scale
    return [
        ScoredSteps(row.label, step_probabilities(logits[str(index)], kind, scale)[0]) for index, row in enumerate(rows)
    ]


def _check_samples(context: Context, request: RewardEvalRequest, step_format: StepFormat) -> tuple[ProcessRow, ...]:
    """Run the stage that finds the first incorrect steps of the samples and return them in ProcessBench's schema."""
    stage = context.run.stage(EXACT_CHECK_STAGE)
    if not stage.is_done:

        async def check() -> list[ProcessRow]:
            async with LocalExecutor(context.config.executor) as executor:
                by_tree = await exact_check.process_rows(request.read_trees(context.run), step_format, executor)
            return [row for rows in by_tree.values() for row in rows]

        with stage.writing() as writer, context.progress.task("check steps"):
            rows = asyncio.run(check())
            kept = process_bench.balance_by_problem(rows, context.config.seed)
            write_text(writer.directory / PROCESS_ROWS, process_bench.dump_rows(kept))
            writer.facts.update(solutions=len(rows), kept=len(kept))
    return process_bench.read_rows(stage.path / PROCESS_ROWS) if stage.facts()["kept"] else ()
