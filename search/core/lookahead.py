"""Score steps by what they lead to: go on greedily for a few steps and score the end of them.

Lookahead search (Snell et al. 2024, arXiv 2408.03314, section 5.2): "rather than using the PRM score at the current step",
a step counts as much as the end of k further steps at temperature 0. The steps are no part of the tree, since the policy
would not draw them so at its own temperature; their tokens are part of its cost.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from search.concurrency import gather_or_cancel
from search.core.expansion import ExpansionConfig, add_cost, execute_steps, node_seed
from search.data import State
from search.protocols import RewardModel, SearchServices
from search.seeds import derive
from search.tree import Tree


async def score_ahead(
    tree: Tree,
    indices: Sequence[int],
    steps: int,
    config: ExpansionConfig,
    services: SearchServices,
    reward_model: RewardModel,
) -> None:
    """Give nodes the logit of what they lead to in ``steps`` greedy steps; finished ones that of themselves.

    Failed and graded nodes get none. One request scores all nodes.
    """
    scored = [i for i in indices if not tree.nodes[i].is_failed and tree.nodes[i].correct is None]
    if not scored:
        return
    ends = await gather_or_cancel(go_on_greedily(tree, i, steps, config, services) for i in scored)
    scores = await reward_model.score(ends)
    add_cost(tree, scores)
    for i, logit in zip(scored, scores.logits, strict=True):
        tree.nodes[i].logit, tree.nodes[i].squash_scale = logit, config.squash_scale


async def go_on_greedily(
    tree: Tree, index: int, steps: int, config: ExpansionConfig, services: SearchServices
) -> State:
    """Return the state after at most ``steps`` greedy steps from a node.

    They end earlier at an answer, at ``max_depth``, and before a step that fails.
    """
    state, node = tree.state(index), tree.nodes[index]
    greedy = replace(config.sampling, temperature=0.0)
    for number in range(0 if node.is_terminal else min(steps, config.max_depth - node.depth)):
        seed = derive(node_seed(tree, index), "lookahead", number)
        proposal = await services.policy.propose(state, 1, greedy, seed)
        add_cost(tree, proposal)
        drawn = services.format.parse(proposal.candidates[0], state)[:1] if proposal.candidates else ()
        if not drawn:
            return state
        (step,) = await execute_steps(tree, state, services.keep_ids(drawn, proposal.candidates[0]), services)
        if step.is_terminal and step.answer is None:
            return state
        state = state.then(step)
        if step.is_terminal:
            return state
    return state
