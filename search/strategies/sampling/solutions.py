"""Draw independent solutions and score them: what greedy decoding, majority votes, best-of-N and step labelling share.

Every solution is a chain below the node where it starts; solutions with the same text are one chain with a multiplicity.
"""

from __future__ import annotations

from search.config import SearchConfig
from search.core.completion import add_chain, finish_each
from search.core.expansion import NO_CANDIDATE, add_cost, count_failure
from search.core.stopping import budget_exhausted
from search.data import Aggregation, Candidate
from search.grading.grader import grade
from search.protocols import SearchServices
from search.seeds import derive
from search.strategies.entry import Bound
from search.tree import ROOT, Tree


def longest_solution(config: SearchConfig) -> int:
    """Return the most tokens that one solution takes: a program and the answer after its output."""
    return config.max_solution_tokens + config.max_step_tokens


def bound(config: SearchConfig, solutions: int) -> Bound:
    """Upper bounds for so many solutions: each may take a request for its program and one for its answer."""
    return Bound(2 * solutions, solutions * longest_solution(config))


async def draw_solutions(
    tree: Tree, config: SearchConfig, count: int, services: SearchServices, start: int = ROOT
) -> list[int]:
    """Add ``count`` solutions below ``start``, run to their ends; return the last node of each distinct one.

    One request draws them all. With ``budget_tokens`` a request draws as many as the rest of the budget holds at their
    longest, at least one; none is sent once the budget is exhausted. It is overdrawn by one solution at most.
    """
    ends: dict[str, int] = {}
    drawn = 0
    while drawn < count and not budget_exhausted(tree, config):
        n = min(count - drawn, affordable(tree, config, count))
        # "samples" is a part of the seeds that stored trees were grown from.
        seed = derive(tree.seed, "samples", drawn) if drawn else derive(tree.seed, "samples")
        await _add_batch(tree, start, n, seed, ends, config, services)
        drawn += n
    return list(ends.values())


def affordable(tree: Tree, config: SearchConfig, count: int) -> int:
    """Return how many solutions of the greatest length the rest of the budget holds, at least 1; ``count`` without one."""
    if config.budget_tokens is None:
        return count
    return max(1, (config.budget_tokens - tree.cost.generated_tokens) // longest_solution(config))


async def _add_batch(
    tree: Tree,
    start: int,
    n: int,
    seed: int,
    ends: dict[str, int],
    config: SearchConfig,
    services: SearchServices,
) -> None:
    """Draw ``n`` solutions below ``start`` by one request; put the new ones into ``ends`` (text -> last node)."""
    state = tree.state(start)
    proposal = await services.policy.propose(state, n, config.solution_sampling(), seed)
    add_cost(tree, proposal)
    if not proposal.candidates:
        count_failure(tree, NO_CANDIDATE)
    drawn: dict[str, list[int]] = {}
    for candidate in proposal.candidates:
        drawn.setdefault(candidate.text, []).append(len(candidate.token_ids))
    for text in drawn.keys() & ends.keys():
        for index in tree.path(ends[text])[len(state.steps) :]:
            tree.nodes[index].multiplicity += len(drawn[text])
    depth_left = config.max_depth - len(state.steps)
    new: dict[str, Candidate] = {}
    for candidate in proposal.candidates:
        if candidate.text not in ends:
            new.setdefault(candidate.text, candidate)
    chains = await finish_each(
        tree,
        state,
        new.values(),
        tree.seed,
        config.max_step_tokens,
        services,
        first=len(ends),
        max_depth=depth_left,
    )
    for text, steps in zip(new, chains, strict=True):
        ends[text] = add_chain(tree, start, steps, drawn[text][0], len(drawn[text]))


async def score_solutions(
    tree: Tree, ends: list[int], aggregation: Aggregation, squash_scale: float, services: SearchServices
) -> None:
    """Grade and score the solutions that have an answer, as far as there is a grader and a reward model.

    Scores the ends, and the steps before them unless ``aggregation`` reads the last one only; all by one request.
    """
    answered = [i for i in ends if tree.nodes[i].answer is not None]
    for i in answered:
        if services.grader is not None:
            tree.nodes[i].correct = await grade(services.grader, tree.problem, tree.nodes[i].answer)
    if services.reward_model is None or not answered:
        return
    is_last_enough = aggregation is Aggregation.LAST
    paths = [i for end in answered for i in tree.path(end)]
    scored = answered if is_last_enough else list(dict.fromkeys(paths))  # solutions may share their first steps
    scores = await services.reward_model.score([tree.state(i) for i in scored])
    add_cost(tree, scores)
    for i, logit in zip(scored, scores.logits, strict=True):
        tree.nodes[i].logit, tree.nodes[i].squash_scale = logit, squash_scale
