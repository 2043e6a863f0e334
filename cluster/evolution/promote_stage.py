"""Promotion stage of a round: a new model replaces the old one if it is no worse on the validation problems."""

from __future__ import annotations

from pathlib import Path

from cluster.evaluation.evaluate import validate_policy, validate_reward_model
from cluster.evaluation.promotion import Decision, decide
from cluster.evaluation.records import Measure
from cluster.evolution.round_context import RoundContext
from cluster.run.models import POLICY, REWARD_MODEL, Models
from search.data import ModelRef


def promote(this_round: RoundContext, models: Models, policy: ModelRef | None, reward_model: ModelRef | None) -> Models:
    """Return the models after this round. ``policy`` and ``reward_model`` are its new ones."""
    stage = this_round.stage("promote")
    if not stage.is_done:
        with stage.writing(keep=True) as writer:
            decisions = _decide(this_round, models, policy, reward_model, writer.directory)
            writer.facts.update(decisions=[decision.facts() for decision in decisions])
            for decision in decisions:
                verb = "promoted" if decision.promoted else "kept back"
                this_round.log(f"{decision.role} {verb}: {decision.reason}")
    for facts in stage.facts()["decisions"]:
        new = policy if facts["role"] == POLICY else reward_model
        if facts["promoted"] and new is not None:
            models = models.promote(new)
    return models


def _decide(
    this_round: RoundContext,
    models: Models,
    policy: ModelRef | None,
    reward_model: ModelRef | None,
    directory: Path,
) -> list[Decision]:
    """Return a decision for each new model. The reward models score samples of the policy that was promoted."""
    context, runner, decisions = this_round.context, this_round.runner, []
    tolerance = context.config.promotion.tolerance
    if policy is not None:
        # The old policy comes first: its engines may still run from the search.
        old = _validated(this_round, models.policy, directory)
        new = validate_policy(context, runner, policy, directory / "policy")
        decisions.append(decide(POLICY, "greedy", new, old, tolerance))
        models = models.promote(policy) if decisions[-1].promoted else models
    if reward_model is not None:
        new, previous = validate_reward_model(
            context, runner, models.policy, reward_model, models.reward_model, directory / "reward_model"
        )
        decisions.append(decide(REWARD_MODEL, "best_of_n", new, previous, tolerance))
    return decisions


def _validated(this_round: RoundContext, policy: ModelRef, directory: Path) -> Measure:
    """Return the current policy's measure on the validation problems: from its own promotion, else measured now."""
    context = this_round.context
    for number in range(this_round.number - 1, 0, -1):
        for facts in context.run.stage(f"r{number}/promote").facts().get("decisions", ()):
            if facts["role"] == POLICY and number == policy.round:
                return Measure(**facts["new"])
    return validate_policy(context, this_round.runner, policy, directory / "policy_before")
