"""Search stages of a round: trees of the training problems, and what some harvest rules need beside them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cluster.evolution.round_context import RoundContext, search_stage
from cluster.evolution.self_judging import JUDGEMENTS, judgement_problems, read_marks
from cluster.run.models import Models, further_policies
from cluster.searches.runner import SearchPlan
from search.data import Problem
from search.formats.judge_prompts import read_judge_prompt
from search.storage.tree_store import read_trees
from search.strategies.entry import Need
from search.strategies.registry import entry_of, revise
from train.rules.base import RuleInput
from train.rules.self_rewarding import DEFAULT_PROMPT, SelfRewardingOptions
from train.rules.star import add_hint

SEARCH_HINTED, SELF_JUDGEMENTS = "search_hinted", "self_judgements"  # stages


def search(this_round: RoundContext, models: Models) -> None:
    """Search the training problems. Each pass after the first searches what no tree has solved yet."""
    for attempt in range(1, this_round.settings.passes + 1):
        stage = this_round.stage(search_stage(attempt))
        if stage.is_done:
            continue
        train_problems = this_round.context.problems.train
        solved = {tree.problem.id for tree in this_round.trees(history=True) if tree.is_solved}
        problems = tuple(filter(this_round.settings.covers, train_problems))
        if this_round.settings.only_unsolved or attempt > 1:
            problems = tuple(problem for problem in problems if problem.id not in solved)
        label = f"round {this_round.number}: search" + (f", pass {attempt}" if attempt > 1 else "")
        plan = _plan(this_round, models, problems, ("search", this_round.number, attempt), label, attempt)
        with stage.writing(keep=True) as writer:
            writer.facts.update(_run_if_possible(this_round, plan, writer.directory))
            solved |= {tree.problem.id for tree in read_trees(writer.directory) if tree.is_solved}
            writer.facts.update(solved=len(solved), problems=len(train_problems))


def search_hinted(this_round: RoundContext, models: Models) -> None:
    """Search the problems that this round did not solve, with the answer in the question, if the rule needs it."""
    stage = this_round.stage(SEARCH_HINTED)
    if RuleInput.HINTED_TREES not in this_round.method.harvest_rule.needs or stage.is_done:
        return
    problems = {tree.problem.id: tree.problem for tree in this_round.trees(history=False)}
    solved = {tree.problem.id for tree in this_round.trees(history=False) if tree.is_solved}
    hinted = tuple(add_hint(problem) for name, problem in problems.items() if name not in solved)
    label = f"round {this_round.number}: search with hints"
    plan = _plan(this_round, models, hinted, (SEARCH_HINTED, this_round.number), label)
    with stage.writing(keep=True) as writer:
        writer.facts.update(_run_if_possible(this_round, plan, writer.directory))


def judge_solutions(this_round: RoundContext, models: Models) -> None:
    """Let the policy mark all solutions of this round, if the rule needs marks."""
    stage = this_round.stage(SELF_JUDGEMENTS)
    if RuleInput.MARKS not in this_round.method.harvest_rule.needs or stage.is_done:
        return
    config = this_round.context.config.round_search(this_round.settings)
    options = this_round.method.options
    prompt = read_judge_prompt(options.prompt if isinstance(options, SelfRewardingOptions) else DEFAULT_PROMPT)
    problems = judgement_problems(this_round.trees(history=False), prompt)
    plan = SearchPlan(
        config=revise(config, {"strategy": "sampling", "candidates": JUDGEMENTS, "trees": 1}),
        policy=models.policy,
        reward_model=None,
        problems=problems,
        seed=("marks", this_round.number),
        label=f"round {this_round.number}: self-judging",
        blind=True,
    )
    with stage.writing(keep=True) as writer:
        facts = this_round.runner.run(plan, writer.directory).facts()
        del facts["failures"]  # a judgement has no answer, which would count as a failure
        marks = sum(1 for tree in read_trees(writer.directory) for _ in read_marks(tree))
        writer.facts.update(facts, judged=len(problems), marks=marks)


def _plan(
    this_round: RoundContext,
    models: Models,
    problems: tuple[Problem, ...],
    seed: tuple[object, ...],
    label: str,
    attempt: int = 1,
) -> SearchPlan:
    config = this_round.context.config
    search_config = config.round_search(this_round.settings, attempt)
    return SearchPlan(
        config=search_config,
        policy=models.policy,
        reward_model=models.reward_model if this_round.settings.values == "reward_model" else None,
        problems=problems,
        seed=seed,
        label=label,
        further=further_policies(models, config, search_config),
    )


def _run_if_possible(this_round: RoundContext, plan: SearchPlan, directory: Path) -> dict[str, Any]:
    """Return the facts of a search, or why it was skipped: its strategy needs a reward model and there is none."""
    if plan.reward_model is None and entry_of(plan.config).reward_model is Need.REQUIRED:
        reason = f"strategy {plan.config.strategy!r} needs a reward model, and no round before could train one"
        this_round.context.progress.log(f"{plan.label}: skipped: {reason}")
        return {"skipped": reason}
    return this_round.runner.run(plan, directory).facts()
