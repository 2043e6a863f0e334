"""Run all rounds of self-evolution.

base policy ──> evaluate ──> round 1 ──> round 2 ──> … each: search, harvest, train, promote, evaluate (round.py)
"""

from __future__ import annotations

from cluster.evaluation.evaluate import evaluate as evaluate_models
from cluster.evolution.base_policy import make_base_policy
from cluster.evolution.round import Round
from cluster.evolution.train_stages import MODEL
from cluster.run.context import Context
from cluster.run.models import POLICY, Models, model_ref
from cluster.run.reward_models import first_reward_model
from cluster.searches.runner import SearchRunner
from search.data import ModelRef


def evolve(context: Context) -> Models:
    """Run all rounds of the config and return the last models. Stages that an earlier start finished are skipped."""
    base = base_model(context)
    models = Models(base=base, policy=base, reward_model=first_reward_model(context.config.reward_model))
    with SearchRunner(context) as runner:
        evaluate_models(context, runner, 0, models)
        for number, settings in enumerate(context.config.rounds, start=1):
            models = Round(number=number, settings=settings, context=context, runner=runner).run(models)
    return models


def base_model(context: Context) -> ModelRef:
    """Return the policy of round 0: the config's model, or the built-in one, which is made if it does not exist yet.

    A policy behind a server is named by the server in place of a directory.
    """
    if (endpoint := context.config.policy.endpoint) is not None:
        return model_ref(POLICY, endpoint.reference, 0)
    if context.config.policy.path is not None:
        return model_ref(POLICY, context.config.policy.path, 0)
    stage = context.run.stage("r0/base")
    if not stage.is_done:
        with stage.writing() as writer:
            output, is_shared = writer.directory / MODEL, context.session.joined
            facts = make_base_policy(context.config, output, context.progress, shared=is_shared, room=context.placer)
            writer.facts.update(facts)
        context.run.add_lineage(role=POLICY, round=0, version=0, path=str(stage.path / MODEL), start="built-in recipe")
    return model_ref(POLICY, stage.path / MODEL, 0)
