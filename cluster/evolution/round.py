"""Run one round of self-evolution as a chain of stages, each with an input and an output on disk.

    search ──> harvest ──> train_policy, train_reward_model ──> promote ──> evaluate
     trees     records         model           model            decision     numbers

Some harvest rules need more beside the trees: the stages search_hinted and self_judgements, after search. A finished
stage is skipped, so a killed round resumes where it was.
"""

from __future__ import annotations

from dataclasses import dataclass

from cluster.evaluation.evaluate import evaluate
from cluster.evolution.promote_stage import promote
from cluster.evolution.round_context import RoundContext
from cluster.evolution.search_stages import judge_solutions, search, search_hinted
from cluster.evolution.train_stages import harvest, train_models
from cluster.run.models import Models


@dataclass(frozen=True, slots=True, kw_only=True)
class Round(RoundContext):
    """One round of a run: what its stages share, and their order."""

    def run(self, models: Models) -> Models:
        """Run the stages that are not done yet, and return the models that the next round works with."""
        search(self, models)
        search_hinted(self, models)
        judge_solutions(self, models)
        harvest(self)
        if not self.context.config.placement.keep_engines:
            self.runner.stop()
        policy, reward_model = train_models(self, models)
        models = promote(self, models, policy, reward_model)
        evaluate(self.context, self.runner, self.number, models)
        return models
