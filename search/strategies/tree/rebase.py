"""Grow a tree by REBASE, reward-balanced search (Wu et al. 2024, arXiv 2408.00724).

width = candidates
while a solution is open, and some width is left:
    share      the width to the open steps, by softmax of their rewards                  (``share_width``)
    draw       as many steps after each                                                  (draws.py)
    finish     solutions that have ended take the width of their candidates with them

Released code: thu-wyz/inference_scaling, rebase.py.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from time import monotonic
from typing import Literal

from pydantic import Field

from search.config import AnswerRule
from search.core.stopping import finalize, should_stop
from search.data import Problem, StepStatus
from search.protocols import SearchServices
from search.strategies.entry import Bound, StrategyEntry
from search.strategies.tree.beam import back_up_ends
from search.strategies.tree.draws import Draw, take_step
from search.strategies.tree.options import TreeConfig
from search.tree import ROOT, Tree

ROUNDING = 1e-9  # a share that exceeds an integer by no more than this is that integer


class RebaseConfig(TreeConfig):
    """Options of the strategy "rebase". The defaults are those of the released code."""

    strategy: Literal["rebase"] = Field("rebase", description="which strategy grows the tree")
    candidates: int = Field(
        16, ge=1, description="B, the width: steps drawn at each depth and solutions that have ended, together"
    )
    softmax_temperature: float = Field(
        0.2, gt=0, description="T of softmax(R / T), by which open steps share the width; large: equal shares"
    )
    answer_rule: AnswerRule = Field(
        "weighted", description="the answer of a tree, as in every strategy; REBASE votes, weighted by the reward"
    )


@dataclass(frozen=True, slots=True)
class Rebase:
    """The strategy "rebase": of ``candidates`` draws at each depth a step gets more the higher its reward.

    R is the reward model's probability (1 + score) / 2 of the last step; without a reward model all steps share equally.
    Steps that were drawn k times are k candidates in sharing. A solution that has ended takes the width of its candidates
    with it, finished or not; failed code does not: its width is shared again. ``budget_tokens`` is checked before each
    depth: once it is exhausted nothing more is drawn, so it is overdrawn by one depth at most.
    """

    config: RebaseConfig

    async def search(self, problem: Problem, services: SearchServices, seed: int) -> Tree:
        """Grow one tree. Raises whatever the services raise; a failing step is no exception but a node."""
        config, tree, started = self.config, Tree(problem, strategy="rebase", seed=seed), monotonic()
        width, candidates = config.candidates, [ROOT]
        while candidates and width > 0 and not should_stop(tree, config):
            rewards = [step_probability(tree, node) for node in candidates]
            widths = Counter[int]()
            for node, n in zip(candidates, share_width(rewards, width, config.softmax_temperature), strict=True):
                widths[node] += n
            draws = [Draw(node, n) for node, n in widths.items() if n]
            drawn = await take_step(tree, draws, config, services)
            steps = [step for steps in drawn for step, n in steps.items() for _ in range(n)]
            candidates = [step for step in steps if not tree.nodes[step].is_terminal]
            width -= sum(ended_candidates(tree, draw.node) for draw in draws)
        back_up_ends(tree)
        return finalize(tree, config, started)


def share_width(rewards: Sequence[float], width: int, temperature: float) -> list[int]:
    """Return how many of ``width`` draws each candidate gets: ceil of its softmax share of what is left, in turn.

    In falling order of the rewards, of equal ones the last first, as the released code sorts them: candidate j gets
    ceil(left * exp(R_j / T) / sum of exp(R_k / T) over j and those after it), and the next shares what then is left. All
    are shared out, and the worst candidates get none.

    Rewards 0.9, 0.5 and 0.1, width 8, T 0.2: exp(R / T) is 90.02, 12.18 and 1.65. 0.9 gets ceil(8 * 0.867) = 7, then 0.5
    gets ceil(1 * 0.881) = 1 and 0.1 none: [7, 1, 0]. Three equal rewards, width 4: [1, 1, 2].
    """
    order = sorted(range(len(rewards)), key=lambda i: rewards[i])[::-1]
    weights = [math.exp((rewards[i] - max(rewards)) / temperature) for i in order]
    totals = list(accumulate(reversed(weights)))[::-1]  # of each and those after it
    widths = [0] * len(rewards)
    for i, weight, total in zip(order, weights, totals, strict=True):
        share = weight / total if total else 1.0
        widths[i] = min(width, math.ceil(width * share - ROUNDING))
        width -= widths[i]
    return widths


def step_probability(tree: Tree, node: int) -> float:
    """Return R of a step, (1 + score) / 2; 0.5 without a score."""
    return (1 + (tree.nodes[node].score or 0.0)) / 2


def ended_candidates(tree: Tree, node: int) -> int:
    """Return how many candidates after a node ended their solution, those whose code failed left out."""
    children = (tree.nodes[index] for index in tree.nodes[node].children)
    return sum(
        child.multiplicity
        for child in children
        if child.step is not None and child.is_terminal and child.step.status is not StepStatus.CODE_ERROR
    )


def _bound(config: RebaseConfig) -> Bound:
    """Return at most a request for each candidate at each depth after the root; a program's answer is one more.

    At ``max_depth`` solutions are written to their ends.
    """
    requests = 1 + config.max_depth * config.candidates
    longest = config.max_depth * config.max_step_tokens + config.max_solution_tokens
    return Bound(requests, config.candidates * longest)


# "rebase_released": hype-parameters/rebase.yaml, rebase.py and scripts/evaluate.sh of thu-wyz/inference_scaling.
ENTRY = StrategyEntry(
    options=RebaseConfig,
    build=Rebase,
    bound=_bound,
    describe=lambda config: f"rebase of width {config.candidates}",
    presets={
        "rebase_released": {
            "candidates": 16,  # rebase.yaml: width
            "softmax_temperature": 0.2,  # rebase.yaml
            "temperature": 1.0,  # rebase.yaml
            "max_step_tokens": 256,  # rebase.yaml
            "max_solution_tokens": 1024,  # rebase.yaml: max_tokens
            "max_depth": 25,  # rebase.py: depth >= 25 ends the loop
            "answer_rule": "weighted",  # evaluate.sh: weighted majority vote
            "step_aggregation": "last",  # evaluate.sh: weight_agg
        },
    },
)
