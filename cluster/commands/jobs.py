"""Run the parts of the loop as commands of their own, once Ray is up."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from cluster.annotation.choose_solutions import Selection
from cluster.annotation.choose_solutions import select as select_solutions
from cluster.evaluation.compare import compare as compare_strategies
from cluster.evaluation.evaluate import evaluate as evaluate_models
from cluster.evolution.evolve import base_model
from cluster.evolution.round import MODEL
from cluster.report import comparison, reward_eval
from cluster.reward_eval import evaluate as judging
from cluster.reward_eval.request import RewardEvalRequest
from cluster.reward_eval.threshold import Threshold
from cluster.run.context import Context
from cluster.run.models import POLICY, REWARD_MODEL, Models, call_verifier, model_ref, second
from cluster.run.progress import shown
from cluster.searches.runner import SearchPlan, SearchRunner
from search.data import ModelRef, Problem
from search.errors import UserError
from search.evaluation.process_bench import ProcessRow
from search.reward_models import RewardModelKind
from train.data.loading import NothingToLearn
from train.trainer.launch import TrainTask, fit


def given(context: Context, policy: Path | None, reward_model: Path | None) -> Models:
    """The models named on the command line; the base policy where none is."""
    base = model_ref(POLICY, policy.absolute(), 0) if policy else base_model(context)
    return Models(base, base, model_ref(REWARD_MODEL, reward_model.absolute(), 0) if reward_model else None)


def search(context: Context, problems: tuple[Problem, ...], policy: Path | None, reward_model: Path | None) -> None:
    """``raystar search``: trees for some problems in one stage, with what came of them."""
    models = given(context, policy, reward_model)
    stage = context.run.stage("r1/search")
    if not stage.done:
        config = context.config
        other = second(models, config.second, config.search.strategy)
        plan = SearchPlan(
            config.search, models.policy, models.reward_model, problems, ("search", 1, 1), "search", second=other
        )
        with SearchRunner(context) as searchers, stage.writing(keep=True) as writer:
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


def evaluate(context: Context, policy: Path | None, reward_model: Path | None) -> None:
    """``raystar evaluate``: the measures of one pair of models."""
    models = given(context, policy, reward_model)
    with SearchRunner(context) as searchers:
        found = evaluate_models(context, searchers, 0, models)
    for split, methods in found.splits.items():
        for method, measure in methods.items():
            if measure is not None:
                context.progress.say(
                    f"{split} {method}: {100 * measure.accuracy:.1f} % [{100 * measure.low:.1f}, {100 * measure.high:.1f}] "
                    f"of {measure.n}, {measure.tokens} tokens, {measure.seconds:.0f} s"
                )


def compare(
    context: Context, policy: Path | None, reward_model: Path | None, problems: tuple[Problem, ...], split: str
) -> None:
    """``raystar compare``: strategies at equal cost, as a table and a page."""
    models, config = given(context, policy, reward_model), context.config.compare
    entries = compare_strategies(context, models, problems)
    context.progress.console.print(comparison.table(entries, config.against))
    about = f"{len(problems)} {split} problems, {config.repeats} seeds, policy {models.policy.path}, PPM {reward_model or 'none'}"
    context.progress.say(f"comparison: {comparison.write(context.run.root, entries, config.against, about)}")


def judge(context: Context, asked: RewardEvalRequest, threshold: Threshold) -> None:
    """``raystar judge``: what a reward model is worth, as tables and a page."""
    found = judging.judge(context, asked, drawing_policy(context, asked), threshold)
    reward_eval.finish(context.run.root, found, context.progress)


def judge_file(
    context: Context, model: Path, kind: RewardModelKind, file: Path, rows: Sequence[ProcessRow], threshold: Threshold
) -> None:
    """``raystar judge --steps``: the same for the steps of a file."""
    found = judging.judge_file(context, model, kind, file, rows, threshold)
    reward_eval.finish(context.run.root, found, context.progress)


def select(context: Context, asked: RewardEvalRequest, wanted: Selection) -> None:
    """``raystar select``: a labelling file of the solutions that a person should label next."""
    found = select_solutions(context, asked, drawing_policy(context, asked), wanted)
    context.progress.say(found.told())
    context.progress.say(f"to label: raystar label {wanted.output}")


def drawing_policy(context: Context, asked: RewardEvalRequest) -> ModelRef | None:
    """The policy that draws samples; None where stored ones are judged."""
    return None if asked.trees else given(context, asked.policy, None).policy


def train(context: Context, role: str, data: tuple[Path, ...], init: Path | None) -> None:
    """``raystar train``: one model from records on disk."""
    start = init.absolute() if init else Path(base_model(context).path)
    config = context.config.train.policy if role == POLICY else context.config.train.reward_model
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
            if role == REWARD_MODEL and objective == "dpo":
                call_verifier(task.output)
            writer.facts.update(
                samples=result.samples, dropped=result.dropped, final_loss=result.final_loss, metrics=result.metrics
            )
    context.progress.say(f"model: {stage.path / MODEL}")
