"""Run the commands that need Ray, after their checks: one function a command, named like it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from cluster.annotation.choose_solutions import SelectionRequest, select_solutions
from cluster.evaluation.compare import compare as compare_strategies
from cluster.evaluation.evaluate import evaluate as evaluate_models
from cluster.evolution.evolve import base_model
from cluster.evolution.train_stages import MODEL
from cluster.report import comparison
from cluster.report import reward_eval as reward_eval_report
from cluster.reward_eval.evaluate import evaluate_on_file, evaluate_on_samples
from cluster.reward_eval.request import RewardEvalRequest
from cluster.reward_eval.threshold import Threshold
from cluster.run.context import Context
from cluster.run.models import POLICY, REWARD_MODEL, Models, further_policies, model_ref, write_kind
from cluster.run.progress import training_task
from cluster.run.reward_models import first_reward_model
from cluster.searches.runner import SearchPlan, SearchRunner
from search.data import ModelRef, Problem
from search.errors import UserError
from search.evaluation.process_bench import ProcessRow
from search.evaluation.tree_votes import majority_tree
from search.reward_models import RewardModelKind
from search.storage.tree_store import read_trees
from search.tree import Tree
from train.data.loading import NothingToLearn
from train.objectives import OBJECTIVES
from train.trainer.launch import TrainTask, fit


def resolve_models(context: Context, policy: Path | None, reward_model: Path | None) -> Models:
    """Return the models in two directories. Without a policy it is the config's base policy, made if it is missing."""
    base = model_ref(POLICY, policy.absolute(), 0) if policy else base_model(context)
    reward_model_config = context.config.reward_model.model_copy(update={"path": None})  # rounds begin with that one
    return Models(
        base=base,
        policy=base,
        reward_model=first_reward_model(reward_model_config, reward_model.absolute() if reward_model else None),
    )


def search(context: Context, problems: tuple[Problem, ...], policy: Path | None, reward_model: Path | None) -> None:
    """Search the problems in the stage r1/search."""
    models = resolve_models(context, policy, reward_model)
    stage = context.run.stage("r1/search")
    if not stage.is_done:
        config = context.config
        plan = SearchPlan(
            config=config.search,
            policy=models.policy,
            reward_model=models.reward_model,
            problems=problems,
            seed=("search", 1, 1),
            label="search",
            further=further_policies(models, config, config.search),
        )
        with SearchRunner(context) as runner, stage.writing(keep=True) as writer:
            result = runner.run(plan, writer.directory)
            writer.facts.update(result.facts(), solved=result.solved, problems=len(problems))


def solve(context: Context, problem: Problem, reward_model: Path | None) -> Tree:
    """Return the tree of one problem, grown without its reference answer; of several one with the answer of most.

    Raises UserError if all were given up.
    """
    models, config = resolve_models(context, None, reward_model), context.config
    plan = SearchPlan(
        config=config.search,
        policy=models.policy,
        reward_model=models.reward_model,
        problems=(problem,),
        seed=("solve",),
        label="search",
        blind=True,
        further=further_policies(models, config, config.search),
    )
    directory = context.run.stage("r1/search").partial
    with SearchRunner(context) as runner:
        result = runner.run(plan, directory)
    trees = list(read_trees(directory))
    if not trees:
        raise UserError(f"the search gave up: {next(iter(result.quarantined.values()))}")
    tree, votes = majority_tree(trees)
    if len(trees) > 1:
        context.progress.log(f"{votes} of {len(trees)} trees have the answer; the first of them is shown")
    return tree


def evaluate(context: Context, policy: Path | None, reward_model: Path | None) -> None:
    """Measure a policy, and a reward model if one is given, on every evaluation set; log the measures."""
    models = resolve_models(context, policy, reward_model)
    with SearchRunner(context) as runner:
        evaluation = evaluate_models(context, runner, 0, models)
    for split, methods in evaluation.splits.items():
        for method, measure in methods.items():
            if measure is not None:
                interval = f"[{100 * measure.low:.1f}, {100 * measure.high:.1f}]"
                ties = f", {measure.ties} ties" if measure.ties else ""
                context.progress.log(
                    f"{split} {method}: {100 * measure.accuracy:.1f} % {interval} of {measure.n}, "
                    f"{measure.tokens} tokens, {measure.seconds:.0f} s{ties}"
                )


def compare(
    context: Context, policy: Path | None, reward_model: Path | None, problems: tuple[Problem, ...], split: str
) -> None:
    """Compare strategies at equal numbers of tokens; print the tables and write comparison.html."""
    result = compare_strategies(context, resolve_models(context, policy, reward_model), problems, split)
    comparison.show(result, context.progress.console)
    context.progress.log(f"comparison: {comparison.write(context.run.root, result)}")


def eval_reward_model(context: Context, request: RewardEvalRequest, threshold: Threshold) -> None:
    """Measure a reward model on samples; print the tables and write the page."""
    evaluation = evaluate_on_samples(context, request, sampling_policy(context, request), threshold)
    reward_eval_report.finish(context.run.root, evaluation, context.progress)


def eval_reward_model_on_file(
    context: Context, model: Path, kind: RewardModelKind, file: Path, rows: Sequence[ProcessRow], threshold: Threshold
) -> None:
    """Measure a reward model on a file in ProcessBench's schema; print the table and write the page."""
    evaluation = evaluate_on_file(context, model, kind, file, rows, threshold)
    reward_eval_report.finish(context.run.root, evaluation, context.progress)


def select(context: Context, request: RewardEvalRequest, selection: SelectionRequest) -> None:
    """Write the labelling file of the solutions that a person should label next."""
    result = select_solutions(context, request, sampling_policy(context, request), selection)
    context.progress.log(result.describe())
    context.progress.log(f"to label: raystar label {selection.output}")


def sampling_policy(context: Context, request: RewardEvalRequest) -> ModelRef | None:
    """Return the policy that draws samples, None if stored trees are scored."""
    return None if request.trees else resolve_models(context, request.policy, None).policy


def train(context: Context, role: str, data: tuple[Path, ...], initial_model: Path | None) -> None:
    """Train one model on files of records in the stage r1/train_ROLE. Raise UserError if they teach nothing."""
    start = initial_model.absolute() if initial_model else Path(base_model(context).path)
    config = context.config.train.policy if role == POLICY else context.config.train.reward_model
    stage = context.run.stage(f"r1/train_{role}")
    if not stage.is_done:
        objective = context.config.method.objective(role == POLICY)
        task = TrainTask(
            objective=objective,
            initial_model=start,
            data=tuple(file.absolute() for file in data),
            prompt=context.prompting.training_prompt(start),
            output=stage.partial / MODEL,
            work_directory=stage.partial,
            seed=context.config.seed,
            name=role,
            room=context.placer,
        )
        with stage.writing(keep=True) as writer, training_task(context.progress, f"train {role}") as report:
            try:
                result = fit(config, task, report)
            except NothingToLearn as reason:
                raise UserError(f"nothing to learn: {reason}") from reason
            if role == REWARD_MODEL and (kind := OBJECTIVES[objective].reward_model):
                write_kind(task.output, kind)
            writer.facts.update(
                samples=result.samples, dropped=result.dropped, final_loss=result.final_loss, metrics=result.metrics
            )
    context.progress.log(f"model: {stage.path / MODEL}")
