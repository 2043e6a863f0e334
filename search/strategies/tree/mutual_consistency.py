"""Mutual consistency (rStar, arXiv 2408.06195, section 3.3): a second policy completes solutions; agreement is kept."""

from __future__ import annotations

import random
from collections.abc import Collection, Mapping
from functools import lru_cache
from statistics import fmean

from search.concurrency import gather_or_cancel
from search.config import SearchConfig
from search.core.completion import complete_solution
from search.core.expansion import count_failure
from search.core.stopping import budget_exhausted
from search.data import Sampling, State, Until
from search.formats.base import StepFormat
from search.grading.voting import canonical
from search.protocols import Policy, SearchServices
from search.seeds import derive
from search.tree import Tree

LEAST_SHOWN, MOST_SHOWN = 0.2, 0.8  # share of a solution's steps that the second policy gets to see
DISAGREED = "disagreed"  # counts solutions that the second policy ends otherwise
NO_SURVIVOR = "no_survivor"  # counts trees of which it ends every solution otherwise: their answer is unchecked
NOT_CHECKED = "not_checked"  # counts trees whose budget was exhausted before it could be asked

canonical_form = lru_cache(maxsize=1 << 16)(canonical)


def confidence(tree: Tree, answer: str | None) -> float:
    """Return the share of all answers in the tree, as often as each was drawn, that equal this one (rStar, section 3.2).

    Answers 7, 7, 12 and an end without one → 2/3 for 7, 1/3 for 12, 0 for None.
    """
    if answer is None:
        return 0.0
    equal = total = 0
    for node in tree.nodes:
        if node.answer is not None:
            total += node.multiplicity
            equal += node.multiplicity * (canonical_form(node.answer) == canonical_form(answer))
    return equal / total if total else 0.0


def final_scores(tree: Tree) -> dict[int, float]:
    """Score each end with an answer that a rollout reached: mean Q of its path times the confidence of its answer.

    Q 0.5 and 0.7, confidence 0.5 → 0.3.
    """
    return {
        end: fmean(tree.nodes[i].q for i in tree.path(end)) * confidence(tree, tree.nodes[end].answer)
        for end in tree.terminals()
        if tree.nodes[end].visits
    }


def choose(scores: Mapping[int, float], survivors: Collection[int]) -> int | None:
    """Return the survivor of highest score, or the end of highest score where none survived; of equals the first."""
    eligible = [end for end in scores if end in survivors] or list(scores)
    return max(eligible, key=scores.__getitem__) if eligible else None


def prefix(state: State, share: float, step_format: StepFormat) -> State:
    """Return the first ``share`` of a solution's steps: at least one and, of several, not all.

    Never so much that only the answer is left to be read off a program's output.
    """
    steps = state.steps
    length = min(max(round(share * len(steps)), 1), len(steps) - 1)
    while step_format.concluding(State(state.problem, steps[:length])):
        length -= 1
    return State(state.problem, steps[:length])


async def agrees(tree: Tree, end: int, second_policy: Policy, config: SearchConfig, services: SearchServices) -> bool:
    """Return whether ``second_policy``, given a part of a solution, most likely ends it with the same answer."""
    seed = derive(tree.seed, "mutual", end)
    share = random.Random(seed).uniform(LEAST_SHOWN, MOST_SHOWN)
    greedy = Sampling(temperature=0.0, max_tokens=config.max_solution_tokens, until=Until.PAUSE)
    part = prefix(tree.state(end), share, services.format)
    discriminator = SearchServices(policy=second_policy, executor=services.executor, format=services.format)
    steps, _ = await complete_solution(tree, part, greedy, seed, config.max_step_tokens, discriminator)
    completed, answer = steps[-1].answer, tree.nodes[end].answer
    return completed is not None and answer is not None and canonical_form(completed) == canonical_form(answer)


async def choose_answer(tree: Tree, config: SearchConfig, services: SearchServices) -> str | None:
    """Return the tree's answer, after ``services.second_policy`` was asked about every end that a rollout reached.

    Rejected ends, and trees without a survivor, are counted in ``tree.failures``.
    """
    scores = final_scores(tree)
    survivors: list[int] = []
    if services.second_policy is not None and scores:
        if budget_exhausted(tree, config):
            count_failure(tree, NOT_CHECKED)
        else:
            agreed = await gather_or_cancel(
                agrees(tree, end, services.second_policy, config, services) for end in scores
            )
            survivors = [end for end, agrees_with in zip(scores, agreed, strict=True) if agrees_with]
            for _ in range(len(scores) - len(survivors)):
                count_failure(tree, DISAGREED)
            if not survivors:
                count_failure(tree, NO_SURVIVOR)
    chosen = choose(scores, survivors)
    return None if chosen is None else tree.nodes[chosen].answer
