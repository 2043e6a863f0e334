"""Independent solutions: greedy, majority@k and best-of-N all read the tree that is drawn here.

Every solution is a chain below the root; solutions with the same text are one chain with a multiplicity. Knows drawing
and scoring; voting.py decides what the answers mean.
"""

from __future__ import annotations

from dataclasses import dataclass
from time import monotonic

from search.concurrency import gather_or_cancel
from search.config import SearchConfig
from search.core.completion import add_chain, finish, whole
from search.core.expansion import NO_CANDIDATE, add_cost, count_failure, squash
from search.core.stopping import add_elapsed, budget_exhausted
from search.data import Problem
from search.evaluation.voting import Aggregation
from search.protocols import SearchServices
from search.seeds import derive
from search.tree import ROOT, Tree


@dataclass(frozen=True, slots=True)
class IndependentSampling:
    """The strategy "samples". Its tree has no answer of its own: which one counts is for the reader to say.

    ``candidates`` counts solutions, ``budget_tokens`` is that of ``draw_solutions``; ``rollouts`` has no meaning.
    """

    config: SearchConfig

    async def search(self, problem: Problem, tools: SearchServices, seed: int) -> Tree:
        """Draw ``config.candidates`` solutions of one problem and score their ends, or all steps: see ``score_solutions``."""
        tree, began = Tree(problem, strategy="samples", seed=seed), monotonic()
        ends = await draw_solutions(tree, self.config, tools)
        await score_solutions(tree, ends, self.config.aggregate, self.config.squash_scale, tools)
        return add_elapsed(tree, began)


async def draw_solutions(tree: Tree, config: SearchConfig, tools: SearchServices, start: int = ROOT) -> list[int]:
    """Add ``config.candidates`` solutions below ``start``, run to their ends; the last node of each that is distinct.

    One request draws them all. With ``budget_tokens`` a request draws as many as the rest of the budget holds at their
    longest, at least one; none is sent once the budget is spent. It is overdrawn by one solution at most.
    """
    ends: dict[str, int] = {}
    drawn = 0
    while drawn < config.candidates and not budget_exhausted(tree, config):
        n = min(config.candidates - drawn, affordable(tree, config))
        seed = derive(tree.seed, "samples", drawn) if drawn else derive(tree.seed, "samples")
        await _add_batch(tree, start, n, seed, ends, config, tools)
        drawn += n
    return list(ends.values())


def affordable(tree: Tree, config: SearchConfig) -> int:
    """How many solutions of the greatest length what is left of the budget holds, at least 1; all without a budget."""
    if config.budget_tokens is None:
        return config.candidates
    longest = config.max_solution_tokens + config.max_step_tokens  # a program and the answer after its output
    return max(1, (config.budget_tokens - tree.cost.generated_tokens) // longest)


async def _add_batch(
    tree: Tree,
    start: int,
    n: int,
    seed: int,
    ends: dict[str, int],
    config: SearchConfig,
    tools: SearchServices,
) -> None:
    """Draw ``n`` solutions below ``start`` by one request; ``ends`` (text -> last node) learns of the new ones."""
    state = tree.state(start)
    proposal = await tools.policy.propose(state, n, whole(config), seed)
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
    parsed = {c.text: tools.format.parse(c) for c in proposal.candidates if c.text not in ends}
    chains = await gather_or_cancel(
        finish(tree, state, steps, derive(tree.seed, "answer", index), config.max_step_tokens, tools, depth_left)
        for index, steps in enumerate(parsed.values(), len(ends))
    )
    for text, steps in zip(parsed, chains, strict=True):
        ends[text] = add_chain(tree, start, steps, drawn[text][0], len(drawn[text]))


async def score_solutions(
    tree: Tree, ends: list[int], how: Aggregation, squash_scale: float, tools: SearchServices
) -> None:
    """Grade and score the solutions that have an answer, as far as there is a grader and a reward_model.

    Their ends are scored, and the steps before as well unless ``how`` looks at the last one only; all by one request.
    """
    done = [i for i in ends if tree.nodes[i].answer is not None]
    for i in done:
        if tools.grader is not None:
            tree.nodes[i].correct = tools.grader.grade(tree.problem, tree.nodes[i].answer)
    if tools.reward_model is None or not done:
        return
    judged = done if how is Aggregation.LAST else [i for end in done for i in tree.path(end)]
    scores = await tools.reward_model.score([tree.state(i) for i in judged])
    add_cost(tree, scores)
    for i, logit in zip(judged, scores.logits, strict=True):
        tree.nodes[i].score = squash(logit, squash_scale)
