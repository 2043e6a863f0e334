"""A judge as a finder of wrong steps: the ProcessBench protocol on a file, and on samples of the curriculum.

Knows the stages that make rows and their scores. Thresholds are threshold.py's business, the protocol itself is
search/evaluation/process_bench.py's.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

from actors.sandbox.client.executor import LocalExecutor
from cluster.reward_eval import exact_check, step_scores
from cluster.reward_eval.request import RewardEvalRequest, rows_given
from cluster.reward_eval.samples import SCORES, scores_of_steps
from cluster.reward_eval.step_scores import Scored, Work, prefixes
from cluster.reward_eval.threshold import Threshold, measured
from cluster.run.context import Context
from cluster.run.directory import write_inputs
from cluster.run.models import REWARD_MODEL, model_ref
from cluster.searches.runner import SearchRunner
from search.data import Problem, State
from search.errors import UserError
from search.evaluation import process_bench
from search.evaluation.process_bench import JudgedSteps, ProcessRow, ProcessScore
from search.formats.registry import StepFormat, steps_of_texts
from search.reward_models import RewardModelKind
from search.storage.files import write_atomic

ROWS = "process.jsonl"


def on_file(
    context: Context,
    searchers: SearchRunner,
    model: Path,
    kind: RewardModelKind,
    file: Path,
    rows: Sequence[ProcessRow],
    threshold: Threshold,
) -> ProcessScore:
    """The protocol's numbers for the rows of a file."""
    judged = judged_rows(context, searchers, model, kind, "steps", str(file), rows)
    choosing = judged_rows(context, searchers, model, kind, "choosing", threshold.source, threshold.rows)
    return measured(rows, judged, threshold, choosing)


def on_samples(
    context: Context, searchers: SearchRunner, asked: RewardEvalRequest, scored: dict[str, Scored], threshold: Threshold
) -> ProcessScore | None:
    """The protocol's numbers for samples of curriculum problems; None, and a line why, where they cannot be had.

    Of each problem one solution with an error and one without are measured, at most.
    """
    form, first = context.config.policy.step_format(context.shots), next(asked.read(context.run), None)
    if first is None or not exact_check.checkable(first.problem, form):
        context.progress.say(
            "steps are not measured: only the curriculum's can be checked; --steps takes a labelled file"
        )
        return None
    try:
        rows = _checked(context, asked, form)
        choosing = judged_rows(
            context, searchers, asked.model, asked.kind, "choosing", threshold.source, threshold.rows
        )
        return measured(rows, _judged_samples(context, asked, scored, rows), threshold, choosing)
    except UserError as error:  # the curves stand for themselves
        context.progress.say(f"steps are not measured: {error}")
        return None


def _judged_samples(
    context: Context, asked: RewardEvalRequest, scored: dict[str, Scored], rows: Sequence[ProcessRow]
) -> list[JudgedSteps]:
    """Checked samples with the scores that their steps have already; a row's id says which sample it is."""
    judged: list[JudgedSteps] = []
    for row in rows:
        name, _, place = row.id.rpartition("/")
        scores = scores_of_steps(scored[name], asked.kind, context.config.evaluation.search.squash_scale)
        judged.append(JudgedSteps(row.label, scores[int(place)]))
    return judged


def row_states(row: ProcessRow, form: StepFormat) -> tuple[State, ...]:
    """The states after each step of a row, as a judge reads them."""
    problem = Problem(row.id, row.problem, "", row.generator)
    return prefixes(State(problem, steps_of_texts(form, row.steps)))


def judged_rows(
    context: Context,
    searchers: SearchRunner,
    model: Path,
    kind: RewardModelKind,
    name: str,
    source: str,
    rows: Sequence[ProcessRow],
) -> list[JudgedSteps]:
    """Rows with the scores of their steps, as a stage of that name."""
    if not rows:
        return []
    stage, form = context.run.stage(f"judge/{name}"), context.config.policy.step_format(context.shots)
    if not stage.done:
        wanted = (Work(str(index), (row_states(row, form),)) for index, row in enumerate(rows))
        with stage.writing(keep=True) as writer:
            write_inputs(writer.directory, rows_given(model, source, rows))
            file = writer.directory / SCORES
            step_scores.score(
                context, searchers, model_ref(REWARD_MODEL, model, 0), wanted, len(rows), file, f"score {name}"
            )
    found, scale = step_scores.known(stage.path / SCORES), context.config.evaluation.search.squash_scale
    return [JudgedSteps(row.label, scores_of_steps(found[str(i)], kind, scale)[0]) for i, row in enumerate(rows)]


def _checked(context: Context, asked: RewardEvalRequest, form: StepFormat) -> tuple[ProcessRow, ...]:
    """The samples with their first wrong steps, as a stage that keeps them in ProcessBench's schema."""
    stage = context.run.stage("judge/checked")
    if not stage.done:

        async def check() -> list[ProcessRow]:
            async with LocalExecutor(context.config.executor) as executor:
                found = await exact_check.rows(asked.read(context.run), form, executor)
            return [row for rows in found.values() for row in rows]

        with stage.writing() as writer, context.progress.task("check steps"):
            every = asyncio.run(check())
            kept = process_bench.one_of_each(every, context.config.seed)
            write_atomic(writer.directory / ROWS, process_bench.text(kept))
            writer.facts.update(checked=len(every), kept=len(kept))
    return process_bench.read(stage.path / ROWS) if stage.facts()["kept"] else ()
