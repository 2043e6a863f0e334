"""The whole loop, and its parts as commands of their own.

    base policy ──> evaluate ──> round 1 ──> round 2 ──> … each: search, harvest, train, promote, evaluate (round.py)

Knows the order of rounds and which models a round begins with. Everything between two stages is a file.
"""

from __future__ import annotations

from pathlib import Path

from cluster.evaluation.evaluate import evaluate as evaluate_models
from cluster.evolution.base_policy import base_policy
from cluster.evolution.round import MODEL, Round
from cluster.run.context import Context
from cluster.run.models import POLICY, REWARD_MODEL, Models, model_ref
from cluster.searches.runner import SearchRunner
from search.data import ModelRef


def evolve(context: Context) -> Models:
    """All rounds of the config; what an earlier start has finished is passed over. Returns the last models."""
    base = base_model(context)
    reward_model = context.config.reward_model.path
    models = Models(
        base, base, model_ref(REWARD_MODEL, Path(reward_model).expanduser().absolute(), 0) if reward_model else None
    )
    with SearchRunner(context) as searchers:
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
