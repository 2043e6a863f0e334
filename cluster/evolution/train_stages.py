"""Training stages of a round: harvest records from trees, train a policy and a reward model on them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cluster.annotation.gold_solutions import gold_solutions
from cluster.annotation.harvest import label_records_writer
from cluster.evolution.round_context import RoundContext
from cluster.evolution.search_stages import SEARCH_HINTED, SELF_JUDGEMENTS
from cluster.evolution.self_judging import solution_marks
from cluster.reward_eval import exact_check
from cluster.run.models import POLICY, REWARD_MODEL, Models, model_ref, write_kind
from cluster.run.progress import TrainReporter, training_task
from search.concurrency import run_both
from search.data import ModelRef
from search.storage.tree_store import read_trees
from train.config import TrainConfig
from train.data.loading import NothingToLearn
from train.objectives import OBJECTIVES
from train.rules.base import RuleInput, RuleInputs
from train.trainer.launch import TrainTask, fit

MODEL = "model"  # directory of the model in its stage
HARVEST = "harvest"  # stage


def harvest(this_round: RoundContext) -> None:
    """Write the records to learn from, by the method's rule, or from its file of labels by people."""
    stage, method = this_round.stage(HARVEST), this_round.method
    if stage.is_done:
        return
    with stage.writing() as writer:
        if method.labels is not None:
            result = label_records_writer([Path(method.labels).expanduser()], skip_bad_lines=False)(writer.directory)
        else:
            result = method.harvest_rule.write(_rule_inputs(this_round), method.options, writer.directory)
        writer.facts.update(counts=result.counts)
        if result.nothing_to_learn:
            writer.facts.update(nothing_to_learn=result.nothing_to_learn)
        this_round.log(f"harvest, {result.summary}")


def _rule_inputs(this_round: RoundContext) -> RuleInputs:
    """Return the inputs of the method's rule; those that it does not need are empty."""
    context, rule = this_round.context, this_round.method.harvest_rule
    inputs: dict[str, Any] = {}
    if RuleInput.HINTED_TREES in rule.needs:
        inputs["hinted_trees"] = read_trees(this_round.stage(SEARCH_HINTED).path)
    if RuleInput.MARKS in rule.needs:
        judgements = read_trees(this_round.stage(SELF_JUDGEMENTS).path)
        inputs["marks"] = solution_marks(this_round.trees(rule.reads_history), judgements)
    if RuleInput.CHECKED_LABELS in rule.needs:
        inputs["checked_labels"] = exact_check.step_labels(
            this_round.trees(rule.reads_history), context.config.executor
        )
    return RuleInputs(
        trees=this_round.trees(rule.reads_history),
        rounds=this_round.trees_by_round(rule.reads_history),
        references=gold_solutions(this_round.method, context.problems.train),
        **inputs,
    )


def train_models(this_round: RoundContext, models: Models) -> tuple[ModelRef | None, ModelRef | None]:
    """Return the policy and the reward model of this round, each None if the method trains none or has no records."""
    method = this_round.method

    def train_policy() -> ModelRef | None:
        if method.policy is None:
            return None
        start = models.base if method.policy.begins == "base" else models.policy
        return _train(this_round, POLICY, start.path, method.policy.objective)

    def train_reward_model(policy: ModelRef, trained_rounds: int) -> ModelRef | None:
        if method.reward_model is None:
            return None
        start = {"base": models.base, "policy": policy}.get(method.reward_model.start)
        start = start or first_sft_policy(this_round, trained_rounds) or policy
        return _train(this_round, REWARD_MODEL, start.path, method.reward_model.objective)

    number = this_round.number
    if method.reward_model is not None and this_round.context.config.placement.train_together:
        return run_both(train_policy, lambda: train_reward_model(models.policy, number - 1))
    policy = train_policy()
    return policy, train_reward_model(policy or models.policy, number)


def first_sft_policy(this_round: RoundContext, rounds: int) -> ModelRef | None:
    """Return the policy of the first of so many rounds that trained one by SFT, promoted or not; None without one.

    It is V-STaR's G_SFT (arXiv 2402.06457, section 3): all its verifiers start from it and are compared with it.
    """
    config = this_round.context.config
    for number, settings in enumerate(config.rounds[:rounds], start=1):
        training, stage = config.method_of(settings).policy, this_round.context.run.stage(f"r{number}/train_{POLICY}")
        if training is not None and training.objective == "sft" and stage.is_done and "skipped" not in stage.facts():
            return model_ref(POLICY, stage.path / MODEL, number)
    return None


def _train(this_round: RoundContext, role: str, start: str, objective_name: str) -> ModelRef | None:
    """Return a model of this round, or None if there is nothing to learn; the stage's facts have the reason."""
    stage, objective = this_round.stage(f"train_{role}"), OBJECTIVES[objective_name]
    context = this_round.context
    if not stage.is_done:
        task = TrainTask(
            objective=objective.name,
            initial_model=Path(start),
            data=(this_round.stage(HARVEST).path / objective.records,),
            prompt=context.prompting.training_prompt(start),
            output=stage.partial / MODEL,
            work_directory=stage.partial,
            seed=context.config.seed + this_round.number,
            name=role,
            room=context.placer,
        )
        label = f"round {this_round.number}: train {role}"
        with stage.writing(keep=True) as writer, training_task(context.progress, label) as reporter:
            settings = getattr(context.config.round_training(this_round.settings), role)
            writer.facts.update(start=start, **_fit(this_round, settings, task, reporter))
            if role == REWARD_MODEL and objective.reward_model and task.output.is_dir():
                write_kind(task.output, objective.reward_model)
    if "skipped" in stage.facts():
        return None
    path, number = stage.path / MODEL, this_round.number
    context.run.add_lineage(
        role=role, round=number, version=number, path=str(path), start=start, objective=objective.name
    )
    return model_ref(role, path, number)


def _fit(this_round: RoundContext, config: TrainConfig, task: TrainTask, reporter: TrainReporter) -> dict[str, Any]:
    """Train and return the facts, or only the reason if there is nothing to learn."""
    try:
        reasons = this_round.stage(HARVEST).facts().get("nothing_to_learn", {})
        for file in task.data:
            if reason := reasons.get(file.name):
                raise NothingToLearn(reason)
        result = fit(config, task, reporter)
    except NothingToLearn as error:
        this_round.log(f"no new {task.name}: {error}")
        return {"skipped": str(error)}
    return {
        "losses": reporter.losses,
        "samples": result.samples,
        "dropped": result.dropped,
        "tokens_trained": result.tokens,
        "final_loss": result.final_loss,
        "metrics": result.metrics,
    }
