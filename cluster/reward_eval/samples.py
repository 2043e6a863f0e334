"""Draw samples of problems and score their steps: the first two stages of evaluating a reward model and of selecting."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import repeat

from cluster.evaluation import accuracy
from cluster.reward_eval import step_scores
from cluster.reward_eval.request import RewardEvalRequest
from cluster.reward_eval.step_scores import SolutionLogits
from cluster.run.context import Context
from cluster.run.directory import write_inputs
from cluster.run.models import REWARD_MODEL, model_ref
from cluster.searches.runner import SearchPlan, SearchRunner
from search.data import ModelRef
from search.evaluation.best_of_n_curves import ScoredSample
from search.grading.grader import grader
from search.reward_models import RewardModelKind, log_odds, probability
from search.storage.tree_store import finished_keys
from search.tree import Tree

SCORES = "scores.jsonl"


def draw(context: Context, runner: SearchRunner, request: RewardEvalRequest, policy: ModelRef | None) -> None:
    """Draw the samples, unless they are stored or drawn already. The search is blind: solutions are graded later."""
    stage = request.samples_stage(context.run)
    if policy is None or stage.is_done:
        return
    search = context.config.evaluation.sampled()
    plan = SearchPlan(
        config=search,
        policy=policy,
        reward_model=None,
        problems=request.problems,
        seed=request.seed,
        label=f"{request.split}: {context.config.evaluation.samples} samples a problem",
        blind=True,
    )
    with stage.writing(keep=True) as writer:
        write_inputs(writer.directory, request.samples_inputs)
        writer.facts.update(runner.run(plan, writer.directory).facts())
    if not context.config.placement.keep_engines:
        runner.stop()


def score(context: Context, runner: SearchRunner, request: RewardEvalRequest) -> dict[str, SolutionLogits]:
    """Return the logits of all finished samples, by the names of their trees."""
    stage = request.scores_stage(context.run)
    if not stage.is_done:
        model = model_ref(REWARD_MODEL, request.model, 0, request.kind)
        total = len(finished_keys(request.trees_directory(context.run)))
        with stage.writing(keep=True) as writer:
            write_inputs(writer.directory, request.scores_inputs)
            logits = step_scores.score(
                context,
                runner,
                model,
                step_scores.scoring_tasks(request.read_trees(context.run)),
                total=min(total, request.limit or total),
                file=writer.directory / SCORES,
                title="score steps",
                policy=request.policy,
            )
            writer.facts.update(scored_tokens=sum(scored.tokens for scored in logits.values()))
    return step_scores.read_logits(stage.path / SCORES)


def step_probabilities(logits: SolutionLogits, kind: RewardModelKind, squash_scale: float) -> list[tuple[float, ...]]:
    """Return for each solution the scores of its steps in [0, 1]."""
    return [tuple(probability(logit, kind, squash_scale) for logit in solution) for solution in logits.logits]


def step_log_odds(logits: SolutionLogits, kind: RewardModelKind, squash_scale: float) -> list[tuple[float, ...]]:
    """Return for each solution the scores of its steps as log-odds, which stay distinct where the scores do not."""
    return [tuple(log_odds(logit, kind, squash_scale) for logit in solution) for solution in logits.logits]


def read_samples(tree: Tree, scores: list[tuple[float, ...]]) -> Iterator[ScoredSample]:
    """Yield the graded solutions of a tree with the log-odds of their steps, each as often as it was drawn."""
    for sample, multiplicity in accuracy.read_samples(tree, tree.problem, grader(), scores):
        yield from repeat(sample, multiplicity)
