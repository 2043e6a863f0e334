"""Measures models on problems: on the held-out sets for the report, on the validation set for promotion.

    greedy    one solution at temperature 0
    samples   k solutions: majority of k, and with a PPM best of k
    search    the strategy of ``evaluation.search``: with a PPM, or where it needs none to be a method (SELF_JUDGED)

Every search is blind: reference answers come in when accuracy.py grades stored trees. Knows which searches there are and
where their trees go.
"""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from time import monotonic

from actors.pools.engine_pool import RewardModelPool
from cluster.config.run_config import SELF_JUDGED
from cluster.evaluation import accuracy
from cluster.evaluation.accuracy import Shares
from cluster.evaluation.records import EVALUATION, METHODS, Evaluation, Measure
from cluster.run.context import Context
from cluster.run.models import Models, in_units, second
from cluster.searches.runner import SearchPlan, SearchRunner
from search.config import SearchConfig
from search.core.expansion import squash
from search.core.values import as_one
from search.data import ModelRef, Problem
from search.evaluation.voting import Aggregation
from search.grading.grader import grader
from search.storage.files import write_atomic
from search.storage.tree_store import finished_ids, read_trees
from search.tree import Tree

TIMES, RIGHT = "seconds.json", "right.json"


@dataclass(frozen=True, slots=True)
class Graded:
    """What one method got right on one split, problem by problem and in all."""

    right: Shares
    measure: Measure

    @classmethod
    def of(cls, right: Shares, trees: list[Tree], seconds: float) -> Graded:
        return cls(right, accuracy.measured(right, trees, seconds))


def evaluate(context: Context, searchers: SearchRunner, number: int, models: Models) -> Evaluation:
    """The measures of the models after round ``number`` (0: the base), as a stage.

    Models that were measured in an earlier round already keep those numbers: same weights, same problems, same seeds.
    """
    stage = context.run.stage(f"r{number}/evaluate")
    if not stage.done:
        names = {
            "policy": models.policy.path,
            "reward_model": models.reward_model.path if models.reward_model else None,
        }
        share = context.config.measured_share(number)
        with stage.writing(keep=True) as writer:
            earlier = _measured_before(context, number, names, share)
            if earlier is not None:
                known = Evaluation.read(earlier / EVALUATION)
                found = replace(known, round=number)
                shutil.copy(earlier / RIGHT, writer.directory)
                writer.facts.update(same_as=known.round)
            else:
                graded = {
                    split: _measure(context, searchers, models, problems, writer.directory / split, share, split)
                    for split, problems in context.problems.evaluation.items()
                }
                rights = _rights(graded)
                found = _evaluation(number, graded, rights, context.config.evaluation.samples)
                write_atomic(writer.directory / RIGHT, json.dumps(rights) + "\n")
                writer.facts.update(tokens=_tokens(found))
            writer.facts.update(models=names, share=share)
            found.write(writer.directory)
    return Evaluation.read(stage.path / EVALUATION)


def _measured_before(context: Context, number: int, names: Mapping[str, str | None], share: float) -> Path | None:
    """Where an earlier round kept the measures of the same models."""
    for earlier in range(number - 1, -1, -1):
        stage = context.run.stage(f"r{earlier}/evaluate")
        facts = stage.facts()
        if facts.get("models") == names and facts.get("share", 0) >= share:
            return stage.path
    return None


def _tokens(found: Evaluation) -> int:
    """Generated tokens of all measures; best-of reads the samples of majority and generates none of its own."""
    return sum(
        measured.tokens
        for methods in found.splits.values()
        for name, measured in methods.items()
        if measured is not None and name != "best_of_n"
    )


def _evaluation(
    number: int, graded: Mapping[str, Mapping[str, Graded]], rights: Mapping[str, Mapping[str, Shares]], k: int
) -> Evaluation:
    splits: dict[str, dict[str, Measure | None]] = {
        split: {method: methods[method].measure if method in methods else None for method in METHODS}
        for split, methods in graded.items()
    }
    leads = {split: found for split, shares in rights.items() if (found := accuracy.leads(shares))}
    return Evaluation(number, splits, k, leads)


def _rights(graded: Mapping[str, Mapping[str, Graded]]) -> dict[str, dict[str, Shares]]:
    """Split -> method -> problem id -> how much of it was got right: to compare runs problem by problem."""
    return {split: {name: one.right for name, one in methods.items()} for split, methods in graded.items()}


def _measure(
    context: Context,
    searchers: SearchRunner,
    models: Models,
    problems: tuple[Problem, ...],
    directory: Path,
    share: float,
    split: str,
) -> dict[str, Graded]:
    """All methods on one split that these models allow."""
    config = context.config.evaluation
    part = problems[: max(1, round(share * len(problems)))]
    grade = grader()

    def grown(
        name: str, search: SearchConfig, reward_model: ModelRef | None, over: tuple[Problem, ...]
    ) -> tuple[list[Tree], float]:
        what = f"{split}: {name}"
        other = second(models, context.config.second, search.strategy)
        plan = SearchPlan(search, models.policy, reward_model, over, ("evaluate", split, name), what, True, other)
        return grow(searchers, plan, directory / name)

    by_id = {problem.id: problem for problem in problems}
    part_by_id = {problem.id: problem for problem in part}
    trees, seconds = grown("greedy", config.greedy(), None, problems)
    found = {"greedy": Graded.of(accuracy.single(trees, by_id, grade), trees, seconds)}
    trees, seconds = grown("samples", config.sampled(), models.reward_model, part)
    found["majority"] = Graded.of(accuracy.majority(trees, part_by_id, grade), trees, seconds)
    if models.reward_model is not None:
        best = accuracy.best_of(trees, part_by_id, grade, config.samples, how=config.search.aggregate)
        found["best_of_n"] = Graded.of(best, trees, seconds)
    if models.reward_model is not None or config.search.strategy in SELF_JUDGED:
        trees, seconds = grown("search", config.search, models.reward_model, part)
        found["search"] = Graded.of(accuracy.single(trees, part_by_id, grade), trees, seconds)
    return found


def grow(searchers: SearchRunner, plan: SearchPlan, directory: Path) -> tuple[list[Tree], float]:
    """The trees of a plan and the seconds they took, starts of engines left out; both survive a kill."""
    clock = directory / TIMES
    before = json.loads(clock.read_text()) if clock.exists() else 0.0
    if finished_ids(directory).issuperset(problem.id for problem in plan.problems):
        return list(read_trees(directory)), before
    searchers.engines(plan.policy, plan.reward_model, plan.second)
    began = monotonic()
    searchers.run(plan, directory)
    seconds = before + monotonic() - began
    write_atomic(clock, json.dumps(round(seconds, 2)))
    return list(read_trees(directory)), seconds


def validate_policy(context: Context, searchers: SearchRunner, policy: ModelRef, directory: Path) -> Measure:
    """Greedy accuracy of a policy on the validation problems."""
    problems = context.problems.validation
    config = context.config.evaluation.greedy()
    plan = SearchPlan(config, policy, None, problems, ("validate", "greedy"), "validation: greedy", blind=True)
    trees, seconds = grow(searchers, plan, directory)
    return accuracy.measured(
        accuracy.single(trees, {problem.id: problem for problem in problems}, grader()), trees, seconds
    )


def validate_reward_model(
    context: Context, searchers: SearchRunner, policy: ModelRef, new: ModelRef, old: ModelRef | None, directory: Path
) -> tuple[Measure, Measure | None]:
    """Best-of-k accuracy on the validation problems of a new PPM and of the old one, on the same samples."""
    problems, k = context.problems.validation, context.config.evaluation.samples
    by_id, grade = {problem.id: problem for problem in problems}, grader()
    config = context.config.evaluation.sampled()
    plan = SearchPlan(config, policy, new, problems, ("validate", "samples"), "validation: samples", blind=True)
    trees, seconds = grow(searchers, plan, directory)
    found = accuracy.measured(accuracy.best_of(trees, by_id, grade, k, how=config.aggregate), trees, seconds)
    if old is None:
        return found, None
    scores = rescore(context, searchers, old, trees)
    return found, accuracy.measured(accuracy.best_of(trees, by_id, grade, k, scores), trees, seconds)


def rescore(
    context: Context, searchers: SearchRunner, reward_model: ModelRef, trees: list[Tree]
) -> dict[str, dict[int, float]]:
    """Scores of the finished solutions in ``trees`` under another PPM: problem id -> node index -> value in [-1, 1]."""
    config = context.config
    handles = searchers.fleet.reward_model(reward_model)
    scale, how = in_units(config.evaluation.search, reward_model).squash_scale, config.evaluation.search.aggregate

    async def score_all() -> dict[str, dict[int, float]]:
        pool = RewardModelPool(
            handles, config.policy.step_format(context.shots), config.reward_model.engine, reward_model
        )

        async def score(tree: Tree) -> dict[int, float]:
            paths = {end: [end] if how is Aggregation.LAST else tree.path(end) for end in tree.terminals()}
            scores = await pool.score([tree.state(index) for path in paths.values() for index in path])
            rewards = iter(squash(logit, scale) for logit in scores.logits)
            return {end: as_one([next(rewards) for _ in path], how) for end, path in paths.items()}

        found = await asyncio.gather(*(score(tree) for tree in trees))
        return {tree.problem.id: scores for tree, scores in zip(trees, found, strict=True)}

    return asyncio.run(score_all())
