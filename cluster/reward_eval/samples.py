"""Samples of problems, and a judge's logits for all their steps: the two stages that judging and selecting begin with.

Knows which engines they need; what is made of the scores is evaluate.py's and select_solutions.py's business.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import repeat

from cluster.evaluation import accuracy
from cluster.reward_eval import step_scores
from cluster.reward_eval.request import RewardEvalRequest
from cluster.reward_eval.step_scores import Scored
from cluster.run.context import Context
from cluster.run.directory import write_inputs
from cluster.run.models import REWARD_MODEL, model_ref
from cluster.searches.runner import SearchPlan, SearchRunner
from search.data import ModelRef
from search.evaluation.best_of_n_curves import JudgedSample
from search.grading.grader import grader
from search.reward_models import RewardModelKind, probability
from search.storage.tree_store import finished_ids
from search.tree import Tree

SCORES = "scores.jsonl"


def draw(context: Context, searchers: SearchRunner, asked: RewardEvalRequest, policy: ModelRef | None) -> None:
    """The samples, unless they are stored or drawn already. Blind: answers come in when solutions are graded."""
    stage = asked.samples(context.run)
    if policy is None or stage.done:
        return
    search = context.config.evaluation.sampled()
    seed, what = (asked.command, asked.split), f"{asked.split}: {search.candidates} samples a problem"
    plan = SearchPlan(search, policy, None, asked.problems, seed, what, blind=True)
    with stage.writing(keep=True) as writer:
        write_inputs(writer.directory, asked.drawn_from)
        writer.facts.update(searchers.run(plan, writer.directory).facts())
    if not context.config.placement.keep_engines:
        searchers.rest()


def score(context: Context, searchers: SearchRunner, asked: RewardEvalRequest) -> dict[str, Scored]:
    """The logits of all finished samples, by the problem's id."""
    stage = asked.scores(context.run)
    if not stage.done:
        model = model_ref(REWARD_MODEL, asked.model, 0)
        total = len(finished_ids(asked.trees or asked.samples(context.run).path))
        with stage.writing(keep=True) as writer:
            write_inputs(writer.directory, asked.scored_from)
            wanted = step_scores.works(asked.read(context.run))
            file = writer.directory / SCORES
            found = step_scores.score(
                context, searchers, model, wanted, min(total, asked.limit or total), file, "score steps"
            )
            writer.facts.update(scored_tokens=sum(scored.tokens for scored in found.values()))
    return step_scores.known(stage.path / SCORES)


def scores_of_steps(scored: Scored, kind: RewardModelKind, squash_scale: float) -> list[tuple[float, ...]]:
    """For each solution the scores of its steps in [0, 1]."""
    return [tuple(probability(logit, kind, squash_scale) for logit in logits) for logits in scored.logits]


def judged(tree: Tree, scores: list[tuple[float, ...]]) -> Iterator[JudgedSample]:
    """The solutions of a tree, graded, as often as each was drawn."""
    for sample, many in accuracy.judged(tree, tree.problem, grader(), scores):
        yield from repeat(sample, many)
