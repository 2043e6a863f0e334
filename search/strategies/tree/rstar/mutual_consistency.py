"""Mutual consistency (rStar, arXiv 2408.06195, section 3.3): a second policy completes solutions; agreement is kept.

candidates   ends with an answer: those that rollouts reached, or all in the tree           (``Choice``)
check        the second policy completes the first part of a solution, cut at several places; a candidate survives where
             its answer is the majority's                                                   (``agrees``)
choose       the survivor of the highest mean Q times reward, or the answer whose survivors have most reward and lost
             fewest                                                                         (``choose_answer``)
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from search.concurrency import gather_or_cancel
from search.core.completion import complete_solution
from search.core.expansion import count_failure
from search.core.stopping import budget_exhausted
from search.data import Sampling, State, Until
from search.formats.base import StepFormat
from search.protocols import Policy, SearchServices
from search.seeds import derive
from search.strategies.tree.rstar.config import ConsistencyConfig
from search.strategies.tree.rstar.votes import canonical_form
from search.tree import Tree

DISAGREED = "disagreed"  # counts solutions that the second policy ends otherwise
NO_SURVIVOR = "no_survivor"  # counts trees of which it ends every solution otherwise: their answer is unchecked
NOT_CHECKED = "not_checked"  # counts trees whose budget was exhausted before it could be asked

RewardFn = Callable[[int], float]  # reward of the end with that index


def final_scores(tree: Tree, reward: RewardFn) -> dict[int, float]:
    """Score each end with an answer that a rollout reached: mean Q of its path times the reward of its answer.

    Q 0.5 and 0.7, reward 0.5 → 0.3.
    """
    return {
        end: fmean(tree.nodes[i].q for i in tree.path(end)) * reward(end)
        for end in tree.terminals()
        if tree.nodes[end].visits
    }


def choose(scores: Mapping[int, float], survivors: Collection[int]) -> int | None:
    """Return the survivor of highest score, or the end of highest score where none survived; of equals the first."""
    eligible = [end for end in scores if end in survivors] or list(scores)
    return max(eligible, key=scores.__getitem__) if eligible else None


@dataclass(frozen=True, slots=True)
class Candidates:
    """Solutions of one answer, each as often as it counts: ``frequency`` and the ``reward`` that it was given so often."""

    frequency: int = 0
    reward: float = 0.0

    def __add__(self, other: Candidates) -> Candidates:
        return Candidates(self.frequency + other.frequency, self.reward + other.reward)


def candidates_by_answer(tree: Tree, ends: Collection[int], reward: RewardFn) -> dict[str, Candidates]:
    """Return the candidates of each answer, by its canonical form: an end counts once, and once more for each rollout."""
    groups: dict[str, Candidates] = {}
    for end in sorted(ends):
        node = tree.nodes[end]
        if node.answer is not None:
            key, frequency = canonical_form(node.answer), 1 + node.visits
            groups[key] = groups.get(key, Candidates()) + Candidates(frequency, frequency * reward(end))
    return groups


def choose_by_answer(tree: Tree, ends: Collection[int], survivors: Collection[int], reward: RewardFn) -> int | None:
    """Return the first surviving end of the answer that the released code chooses (run_src/do_discriminate.py).

    An answer's score is the reward of its survivors over the frequency of all survivors, plus the share of its candidates
    that survived. Survivors 7 (frequency 2, reward 1.0) and 8 (frequency 2, reward 0.8), of which 7 had another candidate
    of frequency 2: 7 has 1.0 / 4 + 2 / 4 = 0.75, 8 has 0.8 / 4 + 2 / 2 = 1.2. Without survivors: the answer of most reward.
    """
    everything = candidates_by_answer(tree, ends, reward)
    kept = candidates_by_answer(tree, survivors, reward)
    total = sum(group.frequency for group in kept.values())
    scores = {key: group.reward / total + group.frequency / everything[key].frequency for key, group in kept.items()}
    scores = scores or {key: group.reward for key, group in everything.items()}
    if not scores:
        return None
    best = max(scores, key=scores.__getitem__)
    return next(end for end in sorted(survivors or ends) if canonical_form(tree.nodes[end].answer or "") == best)


def prefix(state: State, share: float, step_format: StepFormat) -> State:
    """Return the first ``share`` of a solution's steps: at least one and, of several, not all.

    Never so much that only the answer is left to be read off a program's output.
    """
    steps = state.steps
    length = min(max(round(share * len(steps)), 1), len(steps) - 1)
    while step_format.concluding(State(state.problem, steps[:length])):
        length -= 1
    return State(state.problem, steps[:length])


def shares_shown(config: ConsistencyConfig, seed: int) -> list[float]:
    """Return the share of a solution that each check shows: evenly from the least to the most, a single one at random.

    Four checks of 0.2 to 0.8: 0.2, 0.4, 0.6, 0.8.
    """
    least, most = config.least_shown, config.most_shown
    if config.checks == 1:
        return [random.Random(seed).uniform(least, most)]
    return [least + (most - least) * i / (config.checks - 1) for i in range(config.checks)]


def is_agreement(answer: str, completions: Sequence[str | None], rule: str) -> bool:
    """Return whether completions agree with an answer by "majority" (of equals the first), or by at least "half" of them.

    "half" of an odd number is rounded down, as the released code does, but one has to agree: answers 7, 8, 8, 7 agree with
    7 by both rules, 8, 7, 8, 7 by half only.
    """
    keys = [canonical_form(completion) for completion in completions if completion is not None]
    wanted = canonical_form(answer)
    if rule == "half":
        return keys.count(wanted) >= max(1, len(completions) // 2)
    counts = Counter(keys)
    return max(counts, key=counts.__getitem__, default=None) == wanted


async def agrees(
    tree: Tree, end: int, second_policy: Policy, config: ConsistencyConfig, services: SearchServices
) -> bool:
    """Return whether ``second_policy``, given parts of a solution, ends them with the same answer."""
    seed = derive(tree.seed, "mutual", end)
    sampling = Sampling(config.check_temperature, max_tokens=config.max_solution_tokens, until=Until.PAUSE)
    discriminator = SearchServices(policy=second_policy, executor=services.executor, format=services.format)
    state = tree.state(end)
    completions = await gather_or_cancel(
        complete_solution(
            tree,
            prefix(state, share, services.format),
            sampling,
            derive(seed, check),
            config.max_step_tokens,
            discriminator,
        )
        for check, share in enumerate(shares_shown(config, seed))
    )
    answer = tree.nodes[end].answer
    return answer is not None and is_agreement(answer, [steps[-1].answer for steps, _ in completions], config.agreement)


async def choose_answer(
    tree: Tree, config: ConsistencyConfig, reward: RewardFn, services: SearchServices
) -> str | None:
    """Return the tree's answer, after ``services.second_policy`` was asked about every candidate.

    It is not asked where all candidates have one answer. Rejected candidates, and trees without a survivor, are counted in
    ``tree.failures``.
    """
    scores = final_scores(tree, reward)
    ends = list(scores) if config.final_choice == "trajectory" else list(tree.terminals())
    survivors = await _survivors(tree, ends, config, services)
    if config.final_choice == "trajectory":
        chosen = choose(scores, survivors)
    else:
        chosen = choose_by_answer(tree, ends, survivors, reward)
    return None if chosen is None else tree.nodes[chosen].answer


async def _survivors(tree: Tree, ends: Sequence[int], config: ConsistencyConfig, services: SearchServices) -> list[int]:
    """Return the candidates with which the second policy agrees; none where there is no second policy to ask."""
    second_policy = services.second_policy
    if second_policy is None or len({canonical_form(tree.nodes[end].answer or "") for end in ends}) < 2:
        return []
    if budget_exhausted(tree, config):
        count_failure(tree, NOT_CHECKED)
        return []
    agreed = await gather_or_cancel(agrees(tree, end, second_policy, config, services) for end in ends)
    survivors = [end for end, agrees_with in zip(ends, agreed, strict=True) if agrees_with]
    for _ in range(len(ends) - len(survivors)):
        count_failure(tree, DISAGREED)
    if not survivors:
        count_failure(tree, NO_SURVIVOR)
    return survivors
