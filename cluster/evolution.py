"""The whole loop, and its parts as commands of their own.

    base policy ──> evaluate ──> round 1 ──> round 2 ──> … each: search, harvest, train, promote, evaluate (round.py)

Knows the order of rounds and which models a round begins with. Everything between two stages is a file.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from cluster import judge as judging
from cluster.asked import Asked
from cluster.base import base_policy, shown
from cluster.compare import compare as compare_strategies
from cluster.context import Context
from cluster.evaluate import evaluate as evaluate_models
from cluster.lineage import POLICY, PPM, Models, model_ref, second
from cluster.report import comparison, judgement
from cluster.reward_models import call_verifier
from cluster.round import MODEL, Round
from cluster.searching import Searchers, SearchPlan
from cluster.select import Selection
from cluster.select import select as select_solutions
from cluster.threshold import Threshold
from search.data import ModelRef, Problem
from search.errors import UserError
from search.evaluation.process_bench import ProcessRow
from search.reward_models import JudgeKind
from train.data.loading import NothingToLearn
from train.trainer.launch import TrainTask, fit


def evolve(context: Context) -> Models:
    """All rounds of the config; what an earlier start has finished is passed over. Returns the last models."""
    base = base_model(context)
    scorer = context.config.scorer.path
    models = Models(base, base, model_ref(PPM, Path(scorer).expanduser().absolute(), 0) if scorer else None)
    with Searchers(context) as searchers:
        evaluate_models(context, searchers, 0, models)
        for number, settings in enumerate(context.config.rounds, start=1):
            models = Round(number, settings, context, searchers).play(models)
    return models


def base_model(context: Context) -> ModelRef:
    """The policy that everything starts from: the config's model, or the built-in one."""
    if context.config.policy.path is not None:
        return model_ref(POLICY, context.config.policy.path, 0)
    stage = context.run.stage("r0/base")
    if not stage.done:
        with stage.writing() as writer:
            writer.facts.update(base_policy(context.config, writer.directory / MODEL, context.progress))
        context.run.add_lineage(role=POLICY, round=0, version=0, path=str(stage.path / MODEL), start="built-in recipe")
    return model_ref(POLICY, stage.path / MODEL, 0)


def given(context: Context, policy: Path | None, ppm: Path | None) -> Models:
    """The models named on the command line; the base policy where none is."""
    base = model_ref(POLICY, policy.absolute(), 0) if policy else base_model(context)
    return Models(base, base, model_ref(PPM, ppm.absolute(), 0) if ppm else None)


def search(context: Context, problems: tuple[Problem, ...], policy: Path | None, ppm: Path | None) -> None:
    """``raystar search``: trees for some problems in one stage, with what came of them."""
    models = given(context, policy, ppm)
    stage = context.run.stage("r1/search")
    if not stage.done:
        config = context.config
        other = second(models, config.second, config.search.strategy)
        plan = SearchPlan(config.search, models.policy, models.ppm, problems, ("search", 1, 1), "search", second=other)
        with Searchers(context) as searchers, stage.writing(keep=True) as writer:
            writer.facts.update(searchers.run(plan, writer.directory).facts())
    for line in report_lines(stage.facts()):
        context.progress.say(line)
    context.progress.say(f"trees: {stage.path}")


def report_lines(facts: dict[str, object]) -> list[str]:
    """What a search stage did, a line each."""
    failures = facts.get("failures") or {}
    return [
        f"solved {facts.get('trees_solved')} of {facts.get('trees')} problems",
        f"{facts.get('steps_ran')} of {facts.get('steps')} candidate steps ran; failures: {failures or 'none'}",
        f"{facts.get('tokens')} generated tokens in {facts.get('seconds')} s; quarantined: {facts.get('quarantined') or 'none'}",
    ]


def evaluate(context: Context, policy: Path | None, ppm: Path | None) -> None:
    """``raystar evaluate``: the measures of one pair of models."""
    models = given(context, policy, ppm)
    with Searchers(context) as searchers:
        found = evaluate_models(context, searchers, 0, models)
    for split, methods in found.splits.items():
        for method, measure in methods.items():
            if measure is not None:
                context.progress.say(
                    f"{split} {method}: {100 * measure.accuracy:.1f} % [{100 * measure.low:.1f}, {100 * measure.high:.1f}] "
                    f"of {measure.n}, {measure.tokens} tokens, {measure.seconds:.0f} s"
                )


def compare(context: Context, policy: Path | None, ppm: Path | None, problems: tuple[Problem, ...], split: str) -> None:
    """``raystar compare``: strategies at equal cost, as a table and a page."""
    models, config = given(context, policy, ppm), context.config.compare
    entries = compare_strategies(context, models, problems)
    context.progress.console.print(comparison.table(entries, config.against))
    about = (
        f"{len(problems)} {split} problems, {config.repeats} seeds, policy {models.policy.path}, PPM {ppm or 'none'}"
    )
    context.progress.say(f"comparison: {comparison.write(context.run.root, entries, config.against, about)}")


def judge(context: Context, asked: Asked, threshold: Threshold) -> None:
    """``raystar judge``: what a reward model is worth, as tables and a page."""
    found = judging.judge(context, asked, drawing_policy(context, asked), threshold)
    judgement.finish(context.run.root, found, context.progress)


def judge_file(
    context: Context, model: Path, kind: JudgeKind, file: Path, rows: Sequence[ProcessRow], threshold: Threshold
) -> None:
    """``raystar judge --steps``: the same for the steps of a file."""
    found = judging.judge_file(context, model, kind, file, rows, threshold)
    judgement.finish(context.run.root, found, context.progress)


def select(context: Context, asked: Asked, wanted: Selection) -> None:
    """``raystar select``: a labelling file of the solutions that a person should label next."""
    found = select_solutions(context, asked, drawing_policy(context, asked), wanted)
    context.progress.say(found.told())
    context.progress.say(f"to label: raystar label {wanted.output}")


def drawing_policy(context: Context, asked: Asked) -> ModelRef | None:
    """The policy that draws samples; None where stored ones are judged."""
    return None if asked.trees else given(context, asked.policy, None).policy


def train(context: Context, role: str, data: tuple[Path, ...], init: Path | None) -> None:
    """``raystar train``: one model from records on disk."""
    start = init.absolute() if init else Path(base_model(context).path)
    config = context.config.train.policy if role == POLICY else context.config.train.ppm
    stage = context.run.stage(f"r1/train_{role}")
    if not stage.done:
        step_format = context.config.policy.step_format(context.shots)
        files = tuple(file.absolute() for file in data)
        objective = context.config.method.objective(role == POLICY)
        task = TrainTask(
            objective, start, files, step_format, stage.partial / MODEL, stage.partial, context.config.seed, role
        )
        with stage.writing(keep=True) as writer, shown(context.progress, f"train {role}") as report:
            try:
                result = fit(config, task, report)
            except NothingToLearn as reason:
                raise UserError(f"nothing to learn: {reason}") from reason
            if role == PPM and objective == "dpo":
                call_verifier(task.output)
            writer.facts.update(
                samples=result.samples, dropped=result.dropped, final_loss=result.final_loss, metrics=result.metrics
            )
    context.progress.say(f"model: {stage.path / MODEL}")
