"""Measure models on problems: on the held-out sets for the report, on the validation set for promotion.

    greedy    one solution at temperature 0
    samples   k solutions: majority of k, and with a reward model best of k
    search    the strategy of ``evaluation.search``: with a reward model, or where it needs none to choose an answer

Every search is blind: only ``accuracy`` sees reference answers, when it grades stored trees.
"""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from time import monotonic

from cluster.evaluation import accuracy
from cluster.evaluation.accuracy import ProblemAccuracies
from cluster.evaluation.records import EVALUATION, METHODS, Evaluation, Measure, TreeCurve
from cluster.evaluation.tree_curves import measure_trees
from cluster.run.context import Context
from cluster.run.inventory import read_json
from cluster.run.models import Models, fit_search, further_policies
from cluster.searches.runner import SearchPlan, SearchRunner
from search.config import SearchConfig
from search.data import Aggregation, ModelRef, Problem
from search.evaluation.aggregation import Rank, rank
from search.grading.grader import grader
from search.reward_models import value_log_odds
from search.storage.files import write_text
from search.storage.tree_store import read_trees
from search.strategies.registry import entry_of
from search.tree import Tree

SEARCH_SECONDS, PROBLEM_ACCURACIES = "seconds.json", "problem_accuracies.json"


@dataclass(frozen=True, slots=True)
class MethodResult:
    """The accuracies of one method on one split: of each problem, and their mean with its cost.

    ``curve`` and ``together``: of a search with several trees a problem, what they answer together, by number of trees, and
    for each reading by problem.
    """

    accuracies: ProblemAccuracies
    measure: Measure
    curve: TreeCurve | None = None
    together: Mapping[str, ProblemAccuracies] = field(default_factory=dict)

    @classmethod
    def of(cls, accuracies: ProblemAccuracies, trees: list[Tree], seconds: float, ties: int = 0) -> MethodResult:
        return cls(accuracies, accuracy.measure(accuracies, trees, seconds, ties))


def evaluate(context: Context, runner: SearchRunner, round_number: int, models: Models) -> Evaluation:
    """Run the stage that measures the models after a round (0: the base) and return its measures.

    Models that an earlier round measured keep those numbers: same weights, same problems, same seeds.
    """
    stage = context.run.stage(f"r{round_number}/evaluate")
    if not stage.is_done:
        model_paths = {
            "policy": models.policy.path,
            "reward_model": models.reward_model.path if models.reward_model else None,
        }
        share = context.config.measured_share(round_number)
        with stage.writing(keep=True) as writer:
            earlier = _find_earlier_stage(context, round_number, model_paths, share)
            if earlier is not None:
                earlier_evaluation = Evaluation.read(earlier / EVALUATION)
                evaluation = replace(earlier_evaluation, round=round_number)
                shutil.copy(earlier / PROBLEM_ACCURACIES, writer.directory)
                writer.facts.update(same_as=earlier_evaluation.round)
            else:
                results = {
                    split: _measure_split(context, runner, models, problems, writer.directory / split, share, split)
                    for split, problems in context.problems.evaluation.items()
                }
                accuracies = _problem_accuracies(results)
                evaluation = _evaluation(round_number, results, accuracies, context.config.evaluation.samples)
                write_text(writer.directory / PROBLEM_ACCURACIES, json.dumps(accuracies) + "\n")
                writer.facts.update(tokens=_generated_tokens(evaluation))
            writer.facts.update(models=model_paths, share=share)
            evaluation.write(writer.directory)
    return Evaluation.read(stage.path / EVALUATION)


def _find_earlier_stage(
    context: Context, round_number: int, model_paths: Mapping[str, str | None], share: float
) -> Path | None:
    """Return the directory where an earlier round measured the same models on at least this share of the problems."""
    for earlier in range(round_number - 1, -1, -1):
        stage = context.run.stage(f"r{earlier}/evaluate")
        facts = stage.facts()
        if facts.get("models") == model_paths and facts.get("share", 0) >= share:
            return stage.path
    return None


def _generated_tokens(evaluation: Evaluation) -> int:
    """Return the generated tokens of all measures. Best-of-N reads the samples of majority and generates none.

    The measure of a search is that of one of its trees.
    """
    return sum(
        measure.tokens * (evaluation.trees[split].trees if name == "search" and split in evaluation.trees else 1)
        for split, methods in evaluation.splits.items()
        for name, measure in methods.items()
        if measure is not None and name != "best_of_n"
    )


def _evaluation(
    round_number: int,
    results: Mapping[str, Mapping[str, MethodResult]],
    accuracies: Mapping[str, Mapping[str, ProblemAccuracies]],
    k: int,
) -> Evaluation:
    splits: dict[str, dict[str, Measure | None]] = {
        split: {method: methods[method].measure if method in methods else None for method in METHODS}
        for split, methods in results.items()
    }
    margins = {split: margin for split, methods in accuracies.items() if (margin := accuracy.margins(methods))}
    searches = {split: methods["search"].curve for split, methods in results.items() if "search" in methods}
    trees = {split: curve for split, curve in searches.items() if curve is not None}
    return Evaluation(round=round_number, splits=splits, k=k, margins=margins, trees=trees)


def _problem_accuracies(
    results: Mapping[str, Mapping[str, MethodResult]],
) -> dict[str, dict[str, ProblemAccuracies]]:
    """Return split -> method -> problem id -> accuracy, which lets runs be compared problem by problem.

    Several trees together are methods of their own: "trees_best", "trees_majority" and so on.
    """
    return {
        split: {
            **{name: result.accuracies for name, result in methods.items()},
            **{f"trees_{reading}": of for result in methods.values() for reading, of in result.together.items()},
        }
        for split, methods in results.items()
    }


def _measure_split(
    context: Context,
    runner: SearchRunner,
    models: Models,
    problems: tuple[Problem, ...],
    directory: Path,
    share: float,
    split: str,
) -> dict[str, MethodResult]:
    """Measure every method that these models allow: greedy on all problems, the others on the first ``share``."""
    config, reward_model = context.config.evaluation, models.reward_model
    first_problems = problems[: max(1, round(share * len(problems)))]

    def search(
        name: str, search_config: SearchConfig, scored_by: ModelRef | None, searched: tuple[Problem, ...]
    ) -> tuple[list[Tree], float]:
        plan = SearchPlan(
            config=search_config,
            policy=models.policy,
            reward_model=scored_by,
            problems=searched,
            seed=("evaluate", split, name),
            label=f"{split}: {name}",
            blind=True,
            further=further_policies(models, context.config, search_config),
        )
        return run_search(runner, plan, directory / name)

    grade = grader()
    by_id = {problem.id: problem for problem in problems}
    first_by_id = {problem.id: problem for problem in first_problems}
    trees, seconds = search("greedy", config.greedy(), None, problems)
    results = {"greedy": MethodResult.of(accuracy.answer_accuracies(trees, by_id, grade), trees, seconds)}
    trees, seconds = search("samples", config.sampled(), reward_model, first_problems)
    results["majority"] = MethodResult.of(accuracy.majority_accuracies(trees, first_by_id, grade), trees, seconds)
    if reward_model is not None:
        aggregation = fit_search(config.search, reward_model, context.config.reward_model).aggregation
        best = accuracy.best_of_n_accuracies(trees, first_by_id, grade, config.samples, aggregation=aggregation)
        results["best_of_n"] = MethodResult.of(best, trees, seconds, accuracy.count_ties(trees, aggregation))
    if reward_model is not None or entry_of(config.search).chooses_without_scores:
        trees, seconds = search("search", config.search, reward_model, first_problems)
        results["search"] = _search_result(context, reward_model, first_problems, trees, seconds)
    return results


def _search_result(
    context: Context, reward_model: ModelRef | None, problems: tuple[Problem, ...], trees: list[Tree], seconds: float
) -> MethodResult:
    """Return the result of a search: of one tree, the mean over all of a problem, and of all together."""
    config, grade = context.config.evaluation, grader()
    number, ties = config.search.trees, sum(tree.tied_answers > 0 for tree in trees)
    accuracies = accuracy.answer_accuracies(trees, {problem.id: problem for problem in problems}, grade, number)
    result = MethodResult.of(accuracies, trees, seconds, ties)
    if number == 1:
        return result
    aggregation = fit_search(config.search, reward_model, context.config.reward_model).aggregation
    curve, together = measure_trees(trees, problems, grade, number, aggregation, config.vote_rule)
    of_one = replace(result.measure, tokens=round(result.measure.tokens / number), ties=round(ties / number))
    return replace(result, measure=of_one, curve=curve, together=together)


def run_search(runner: SearchRunner, plan: SearchPlan, directory: Path) -> tuple[list[Tree], float]:
    """Return the trees of a plan and the seconds that the search took, without the start of engines.

    Both survive a kill: trees in ``directory`` are not searched again, and their seconds are added.
    """
    seconds_file = directory / SEARCH_SECONDS
    remedy = "remove it to count the seconds from 0"
    earlier_seconds = float(read_json(seconds_file, remedy)) if seconds_file.exists() else 0.0
    if runner.keep_trees(plan, directory) >= plan.tree_keys:
        return list(read_trees(directory)), earlier_seconds
    runner.engines(plan.policy, plan.reward_model, plan.further)
    start = monotonic()
    runner.run(plan, directory)
    seconds = earlier_seconds + monotonic() - start
    write_text(seconds_file, json.dumps(round(seconds, 2)))
    return list(read_trees(directory)), seconds


def validate_policy(context: Context, runner: SearchRunner, policy: ModelRef, directory: Path) -> Measure:
    """Return the greedy accuracy of a policy on the validation problems."""
    problems = context.problems.validation
    plan = SearchPlan(
        config=context.config.evaluation.greedy(),
        policy=policy,
        reward_model=None,
        problems=problems,
        seed=("validate", "greedy"),
        label="validation: greedy",
        blind=True,
    )
    trees, seconds = run_search(runner, plan, directory)
    by_id = {problem.id: problem for problem in problems}
    return accuracy.measure(accuracy.answer_accuracies(trees, by_id, grader()), trees, seconds)


def validate_reward_model(
    context: Context, runner: SearchRunner, policy: ModelRef, new: ModelRef, old: ModelRef | None, directory: Path
) -> tuple[Measure, Measure | None]:
    """Return the best-of-k accuracies on the validation problems of a new and an old reward model, on the same samples."""
    problems, k = context.problems.validation, context.config.evaluation.samples
    by_id, grade = {problem.id: problem for problem in problems}, grader()
    config = context.config.evaluation.sampled()
    plan = SearchPlan(
        config=config,
        policy=policy,
        reward_model=new,
        problems=problems,
        seed=("validate", "samples"),
        label="validation: samples",
        blind=True,
    )
    trees, seconds = run_search(runner, plan, directory)
    aggregation = fit_search(config, new, context.config.reward_model).aggregation
    new_accuracies = accuracy.best_of_n_accuracies(trees, by_id, grade, k, aggregation=aggregation)
    measure = accuracy.measure(new_accuracies, trees, seconds)
    if old is None:
        return measure, None
    old_ranks = rank_terminals(context, runner, old, trees, policy)
    old_accuracies = accuracy.best_of_n_accuracies(trees, by_id, grade, k, old_ranks)
    return measure, accuracy.measure(old_accuracies, trees, seconds)


def rank_terminals(
    context: Context, runner: SearchRunner, reward_model: ModelRef, trees: list[Tree], policy: ModelRef
) -> dict[str, dict[int, Rank]]:
    """Return the ranks of the finished solutions in ``trees`` by a reward model: name of the tree -> node index -> rank.

    ``policy`` wrote them.
    """
    config = context.config
    search = fit_search(config.evaluation.search, reward_model, config.reward_model)
    scale, aggregation = search.squash_scale, search.aggregation

    async def score_all() -> dict[str, dict[int, Rank]]:
        pool = runner.reward_model(reward_model, context.reward_adapter(reward_model, policy.path))

        async def rank_tree(tree: Tree) -> dict[int, Rank]:
            paths = {end: [end] if aggregation is Aggregation.LAST else tree.path(end) for end in tree.terminals()}
            scores = await pool.score([tree.state(index) for path in paths.values() for index in path])
            log_odds = iter(value_log_odds(logit, scale) for logit in scores.logits)
            return {end: rank([next(log_odds) for _ in path], aggregation) for end, path in paths.items()}

        ranks_by_tree = await asyncio.gather(*(rank_tree(tree) for tree in trees))
        return {tree.name: ranks for tree, ranks in zip(trees, ranks_by_tree, strict=True)}

    return asyncio.run(score_all())
