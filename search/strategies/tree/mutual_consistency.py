"""Mutual consistency (rStar, arXiv 2408.06195, section 3.3): a second policy completes solutions; agreement is kept.

Knows finished trees and how they are judged without a reference answer; not how they grow.
"""

from __future__ import annotations

import random
from collections.abc import Collection, Mapping
from functools import lru_cache
from statistics import fmean

from search.concurrency import gather_or_cancel
from search.config import SearchConfig
from search.core.completion import complete
from search.core.expansion import count_failure
from search.core.stopping import budget_exhausted
from search.data import Sampling, State, Until
from search.formats.registry import StepFormat
from search.grading.answers import canonical
from search.protocols import Policy, SearchServices
from search.seeds import derive
from search.tree import Tree

LEAST_SHOWN, MOST_SHOWN = 0.2, 0.8  # share of a solution's steps that the second policy gets to see
DISAGREED = "disagreed"  # solutions that the second policy ends otherwise
NO_SURVIVOR = "no_survivor"  # trees of which it ends every solution otherwise: their answer is unchecked
NOT_CHECKED = "not_checked"  # trees whose budget was spent before it could be asked

same = lru_cache(maxsize=1 << 16)(canonical)


def confidence(tree: Tree, answer: str | None) -> float:
    """Share of all answers in the tree, as often as each was drawn, that are this one; 0 for none (rStar, section 3.2).

    Answers 7, 7, 12 and an end without one → 2/3 for 7, 1/3 for 12.
    """
    if answer is None:
        return 0.0
    alike = every = 0
    for node in tree.nodes:
        if node.answer is not None:
            every += node.multiplicity
            alike += node.multiplicity * (same(node.answer) == same(answer))
    return alike / every if every else 0.0


def final_scores(tree: Tree) -> dict[int, float]:
    """For each end with an answer that a rollout reached: the reward of its path, which is the mean Q of its nodes,
    times the confidence of its answer. Q 0.5 and 0.7, confidence 0.5 → 0.3."""
    return {
        end: fmean(tree.nodes[i].q for i in tree.path(end)) * confidence(tree, tree.nodes[end].answer)
        for end in tree.terminals()
        if tree.nodes[end].visits
    }


def choose(scores: Mapping[int, float], survivors: Collection[int]) -> int | None:
    """The survivor of highest score, or the end of highest score where none survived; of equals the first."""
    running = [end for end in scores if end in survivors] or list(scores)
    return max(running, key=scores.__getitem__) if running else None


def shown(state: State, share: float, step_format: StepFormat) -> State:
    """The first ``share`` of a solution's steps, at least one and not all, where it has more than one.

    Never so much that only the answer is left to be read off a program's output.
    """
    steps = state.steps
    many = min(max(round(share * len(steps)), 1), len(steps) - 1)
    while step_format.concluding(State(state.problem, steps[:many])):
        many -= 1
    return State(state.problem, steps[:many])


async def agrees(tree: Tree, end: int, second: Policy, config: SearchConfig, tools: SearchServices) -> bool:
    """Whether ``second``, given a part of a solution, likeliest ends it with the same answer."""
    seed = derive(tree.seed, "mutual", end)
    share = random.Random(seed).uniform(LEAST_SHOWN, MOST_SHOWN)
    likeliest = Sampling(temperature=0.0, max_tokens=config.max_solution_tokens, until=Until.PAUSE)
    part = shown(tree.state(end), share, tools.format)
    asked = SearchServices(second, tools.executor, tools.format)
    steps, _ = await complete(tree, part, likeliest, seed, config.max_step_tokens, asked)
    theirs, ours = steps[-1].answer, tree.nodes[end].answer
    return theirs is not None and ours is not None and same(theirs) == same(ours)


async def conclude(tree: Tree, config: SearchConfig, tools: SearchServices) -> str | None:
    """The tree's answer, after ``tools.second`` was asked about every end that a rollout reached.

    What it rejected, and whether anything was left, is counted in ``tree.failures``.
    """
    scores = final_scores(tree)
    survivors: list[int] = []
    if tools.second is not None and scores:
        if budget_exhausted(tree, config):
            count_failure(tree, NOT_CHECKED)
        else:
            agreed = await gather_or_cancel(agrees(tree, end, tools.second, config, tools) for end in scores)
            survivors = [end for end, yes in zip(scores, agreed, strict=True) if yes]
            for _ in range(len(scores) - len(survivors)):
                count_failure(tree, DISAGREED)
            if not survivors:
                count_failure(tree, NO_SURVIVOR)
    chosen = choose(scores, survivors)
    return None if chosen is None else tree.nodes[chosen].answer
