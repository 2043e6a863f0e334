"""Estimate a step by Monte Carlo: complete a solution from it again and again, and count how often it ends correct.

A step counts as correct where the policy can still reach the answer. The estimate therefore says nothing of a problem
that the policy never solves, and forgives an error that does not matter for the answer. Completions are whole solutions
with grades; ``attach_completions`` keeps them in the tree.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from time import monotonic

from search.config import SearchConfig
from search.core.completion import add_chain
from search.core.expansion import NO_CANDIDATE
from search.core.stopping import add_elapsed
from search.data import Cost, LabelledSolution, State, Step, StepLabels
from search.grading.grader import grade
from search.protocols import SearchServices
from search.seeds import derive
from search.strategies.sampling.solutions import draw_solutions
from search.tree import ROOT, Tree

COMPLETION = "completion"  # action of the step that a completion of some steps begins with

StepTexts = tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Completion:
    """One completion: the steps after the prefix, how often it was drawn, its length, its grade (None: no answer)."""

    steps: tuple[Step, ...]
    multiplicity: int
    tokens: int
    correct: bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Completions:
    """Completions of one prefix.

    Attributes:
        drawn: their number; 0 for a prefix that is finished.
        correct: how many of them end correct.
        share: correct / drawn in [0, 1]; the own grade, 1 or 0, of a finished prefix; None if the policy drew nothing.
        cost: what they took.
        distinct: each different one.
        unanswered: requests that the policy had nothing for.
    """

    drawn: int = 0
    correct: int = 0
    share: float | None = None
    cost: Cost = field(default_factory=Cost)
    distinct: tuple[Completion, ...] = ()
    unanswered: int = 0


async def estimate(state: State, config: SearchConfig, count: int, services: SearchServices, seed: int) -> Completions:
    """Draw ``count`` completions of ``state`` and grade them; ones without an answer are incorrect.

    If the next step can only state the answer, one greedy completion is drawn. With ``budget_tokens`` fewer may be drawn,
    as in ``draw_solutions``. Raises ValueError without a grader.
    """
    if services.grader is None:
        raise ValueError("labels by completion need a grader: there is none in the services")
    if state.steps and state.steps[-1].is_terminal:
        return Completions(share=float(await grade(services.grader, state.problem, state.steps[-1].answer)))
    if services.format.concluding(state):
        config, count = config.model_copy(update={"temperature": 0.0}), 1
    tree, start, started = Tree(state.problem, strategy="completions", seed=seed), ROOT, monotonic()
    for step in state.steps:
        start = tree.add(start, step)
    distinct = []
    for index in await draw_solutions(tree, config, count, services, start):
        end, steps = tree.nodes[index], tree.steps(index)[len(state.steps) :]
        correct = None if end.answer is None else await grade(services.grader, state.problem, end.answer)
        distinct.append(Completion(steps=steps, multiplicity=end.multiplicity, tokens=end.tokens, correct=correct))
    drawn = sum(completion.multiplicity for completion in distinct)
    reached = sum(completion.multiplicity for completion in distinct if completion.correct)
    return Completions(
        drawn=drawn,
        correct=reached,
        share=reached / drawn if drawn else None,
        cost=add_elapsed(tree, started).cost,
        distinct=tuple(distinct),
        unanswered=tree.failures.get(NO_CANDIDATE, 0),
    )


def attach_completions(tree: Tree, index: int, estimate: Completions, action: str = COMPLETION) -> list[int]:
    """Add the completions below the node that they continue, with their number and cost; return their ends.

    They are solutions of the problem, but no independent samples from its question: they share their beginning.
    """
    tree.cost += replace(estimate.cost, seconds=0.0)  # estimates run side by side
    tree.nodes[index].completions = estimate.drawn
    if estimate.unanswered:
        tree.failures[NO_CANDIDATE] = tree.failures.get(NO_CANDIDATE, 0) + estimate.unanswered
    ends = []
    for completion in estimate.distinct:
        end = add_chain(tree, index, completion.steps, completion.tokens, completion.multiplicity, action)
        tree.nodes[end].correct = completion.correct
        ends.append(end)
    return ends


class PrefixCompletions:
    """Completions of the prefixes of one problem's solutions, each drawn once, whichever solutions share it.

    Prefixes of so many steps have the same seed, whatever was estimated before.
    """

    def __init__(self, config: SearchConfig, count: int, services: SearchServices, seed: int) -> None:
        self._config, self._count, self._services, self._seed = config, count, services, seed
        self._estimates: dict[StepTexts, asyncio.Task[Completions]] = {}

    async def estimate(self, solution: State, length: int) -> Completions:
        """Return the completions after the first ``length`` steps."""
        steps = solution.steps[:length]
        key = step_texts(steps)
        if key not in self._estimates:
            seed = derive(self._seed, "completions", length)
            drawing = estimate(State(solution.problem, steps), self._config, self._count, self._services, seed)
            self._estimates[key] = asyncio.ensure_future(drawing)
        return await self._estimates[key]

    def results(self) -> dict[StepTexts, Completions]:
        """Return all estimates by the texts of the steps; none may be in flight."""
        return {key: task.result() for key, task in self._estimates.items()}


def step_texts(steps: Iterable[Step]) -> StepTexts:
    """Return what tells one prefix from another."""
    return tuple(step.text for step in steps)


def labelled_solution(record: StepLabels, estimates: list[Completions]) -> LabelledSolution:
    """Return the labels with the number and the cost of the completions behind them."""
    completions = sum(estimate.drawn for estimate in estimates)
    return LabelledSolution(record, completions, sum((estimate.cost for estimate in estimates), Cost()))
