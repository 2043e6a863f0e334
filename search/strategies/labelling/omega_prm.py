"""Label steps by OmegaPRM (arXiv 2406.06592, section 3.3): binary searches for first errors grow a tree of states.

    start     k rollouts of the question estimate MC(question)
    select    of all incorrect rollouts of states with 0 < MC < 1 the one of highest Q(s, r) + U(s)   (rollout_pool.py)
    search    binary search for its first error after s: k rollouts at each midpoint estimate the prefix there, a new
              state, and the incorrect ones of them come into the pool
    maintain  one visit more for s

until ``search_limit`` rollouts were searched or the pool is empty. A rollout is the paper's word for a completion of a
state to an answer. Each stays in the tree as a graded solution and may be the next to be searched, so a binary search
draws no solution beside those of its midpoints.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from time import monotonic
from typing import Literal

from pydantic import Field

from search.config import SearchConfig
from search.core.stopping import add_elapsed, budget_exhausted
from search.data import Aggregation, Problem
from search.protocols import SearchServices
from search.seeds import derive
from search.strategies.entry import Bound, StrategyEntry
from search.strategies.labelling.first_error_search import bisect_first_error
from search.strategies.labelling.monte_carlo_labels import (
    COMPLETION,
    PrefixCompletions,
    StepTexts,
    attach_completions,
    step_texts,
)
from search.strategies.labelling.rollout_pool import PoolWeights, Rollout, select_rollout
from search.strategies.labelling.step_labelling import halvings
from search.strategies.sampling.solutions import longest_solution, score_solutions
from search.tree import ROOT, Tree


class OmegaPrmConfig(SearchConfig):
    """Options of the strategy "omega_prm"; the preset "omega_prm_paper" has the paper's."""

    strategy: Literal["omega_prm"] = Field("omega_prm", description="which strategy grows the tree")
    candidates: int = Field(4, ge=1, description="k, rollouts drawn of a state (paper: 8)")
    search_limit: int = Field(8, ge=1, description="incorrect rollouts searched for their first error (paper: 100)")
    alpha: float = Field(0.5, gt=0, le=1, description="base of 1 - MC(s) in a rollout's value (paper: 0.5)")
    beta: float = Field(0.9, gt=0, le=1, description="base of its length over length_scale (paper: 0.9)")
    length_scale: float = Field(500.0, gt=0, description="L, length that multiplies the value by beta (tokens)")
    c_puct: float = Field(0.125, ge=0, description="weight of states that were seldom selected (paper: 0.125)")
    label_correct_ends: bool = Field(
        True,
        description="beside each searched rollout label the end of a correct one of the same state; off: as the paper, "
        "where no correct answer is ever labelled",
    )

    @property
    def weights(self) -> PoolWeights:
        return PoolWeights(self.alpha, self.beta, self.length_scale, self.c_puct)

    def bound(self) -> Bound:
        """Return upper bounds: k rollouts of the question and of each midpoint, each with a request for its answer."""
        states = 1 + self.search_limit * halvings(self.max_depth)
        return Bound(states * (1 + self.candidates), states * self.candidates * longest_solution(self))


@dataclass(frozen=True, slots=True)
class OmegaPrm:
    """The strategy "omega_prm". ``budget_tokens`` is checked before each binary search.

    A problem whose first k rollouts are all correct, or all incorrect, has no labels: it is too easy or too hard for the
    policy (the paper leaves out what is so in 32, appendix A).
    """

    config: OmegaPrmConfig

    async def search(self, problem: Problem, services: SearchServices, seed: int) -> Tree:
        """Grow one tree. Raises ValueError without a grader, and whatever the services raise."""
        config = self.config
        tree, started = Tree(problem, strategy="omega_prm", seed=seed), monotonic()
        whole = config.model_copy(update={"budget_tokens": None})
        completions = PrefixCompletions(whole, config.candidates, services, derive(seed, "labels"))
        states = StateTree(tree, completions)
        await states.estimate(ROOT)
        labelled: list[int] = []
        for _ in range(config.search_limit):
            if not states.pool or budget_exhausted(tree, config):
                break
            rollout = select_rollout(tree, states.pool, config.weights)
            states.pool.remove(rollout)
            await states.find_first_error(rollout)
            labelled.append(rollout.end)
            if config.label_correct_ends:
                labelled += states.label_correct_end(rollout.state)
        await score_solutions(tree, labelled, Aggregation.PRODUCT, config.squash_scale, services)
        return add_elapsed(tree, started)


@dataclass(slots=True)
class StateTree:
    """A tree whose labelled nodes are states, with the statistics of section 3.3.

    MC(s) is a node's ``label``, N(s) its ``visits``; a visit backs up 2 * MC(s) - 1. Prefixes of the same texts are one
    state, that of the first node; another node with them has its label only.

    Attributes:
        pool: incorrect rollouts that were not searched yet, in the order in which they were drawn.
        correct_ends: last nodes of the correct rollouts of each state that have no label.
        nodes: the node of each state, by the texts of its steps.
        solutions: the texts of all rollouts that came into the pool.
    """

    tree: Tree
    completions: PrefixCompletions
    pool: list[Rollout] = field(default_factory=list)
    correct_ends: dict[int, list[int]] = field(default_factory=dict)
    nodes: dict[StepTexts, int] = field(default_factory=dict)
    solutions: set[StepTexts] = field(default_factory=set)

    async def estimate(self, index: int) -> float | None:
        """Return MC of the open prefix that ends at a node. A new state keeps its rollouts, the incorrect ones in the pool.

        Rollouts without an answer count as incorrect and are not searched.
        """
        steps = self.tree.steps(index)
        estimate = await self.completions.estimate(self.tree.state(index), len(steps))
        if step_texts(steps) in self.nodes:
            return estimate.share
        self.nodes[step_texts(steps)] = index
        ends = attach_completions(self.tree, index, estimate, COMPLETION if steps else "")
        correct = [end for end in ends if self.tree.nodes[end].correct]
        incorrect = [end for end in ends if self.tree.nodes[end].correct is False]
        self.correct_ends[index] = correct
        if estimate.share is not None and 0 < estimate.share < 1:
            for end in incorrect:
                self._add_rollout(Rollout(index, end, self.tree.nodes[end].tokens))
        if not steps:
            self.tree.nodes[index].label = estimate.share
        return estimate.share

    def _add_rollout(self, rollout: Rollout) -> None:
        """Put a rollout into the pool, unless the same solution was there before."""
        texts = step_texts(self.tree.steps(rollout.end))
        if texts not in self.solutions:
            self.solutions.add(texts)
            self.pool.append(rollout)

    async def find_first_error(self, rollout: Rollout) -> None:
        """Search a rollout, label the prefixes that were estimated up to its first error, and count the visit.

        Prefixes after the error are no states: what follows an error is neither correct nor incorrect. Where the policy
        drew nothing at a midpoint, only prefixes before the error that is not located are labelled.
        """
        tree, path = self.tree, self.tree.path(rollout.end)
        shares: dict[int, float | None] = {len(path): 0.0}

        async def share_of(length: int) -> float | None:
            shares[length] = await self.estimate(path[length - 1])
            return shares[length]

        error = await bisect_first_error(tree.nodes[rollout.state].depth, len(path), share_of)
        for length, share in shares.items():
            if share or length == error:
                tree.nodes[path[length - 1]].label = share
        state = tree.nodes[rollout.state]
        state.visits += 1
        state.value_sum += 2 * (state.label or 0.0) - 1

    def label_correct_end(self, state: int) -> list[int]:
        """Label the end of the next correct rollout of a state by its grade, which takes no completion; return it."""
        ends = self.correct_ends[state][:1]
        del self.correct_ends[state][:1]
        for end in ends:
            self.tree.nodes[end].label = 1.0
        return ends


ENTRY = StrategyEntry(
    options=OmegaPrmConfig,
    build=OmegaPrm,
    bound=OmegaPrmConfig.bound,
    describe=lambda config: f"{config.search_limit} rollouts searched, {config.candidates} rollouts of a state",
    needs_answers=True,
    labelled=lambda config: config.candidates + config.search_limit * (1 + config.label_correct_ends),
    chooses_answer=False,
    budget_option="search_limit",
    presets={"omega_prm_paper": {"candidates": 8, "search_limit": 100, "label_correct_ends": False}},
)
