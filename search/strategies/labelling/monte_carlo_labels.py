"""Step labels by Monte Carlo: complete a solution from one of its steps, again and again, and see how often it ends right.

At every step (Math-Shepherd, arXiv 2312.08935) or where a binary search for the first error looks (OmegaPRM, arXiv
2406.06592). Solutions are drawn as "samples" draws them: ``config.candidates`` is the
number of completions k (8 in both papers), and lengths and temperature are those of sampling.py. The strategies that draw
solutions and label them so are in step_labelling.py; what the labels are good for is for train to say.

Both say a step is right where the policy can still reach the answer. So they say nothing of a problem that the policy
never solves, and forgive an error that does not matter for the answer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field
from time import monotonic

from search.concurrency import gather_or_cancel
from search.config import SearchConfig
from search.core.stopping import add_elapsed
from search.data import Cost, LabelledSolution, LabelScale, State, Step, StepLabels
from search.protocols import SearchServices
from search.seeds import derive
from search.strategies.sampling.sampling import draw_solutions
from search.tree import ROOT, Tree

Texts = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Completions:
    """How many completions of a state were drawn, and how many of them end right.

    A state that is finished has no completions: ``share`` is its own outcome, 1 or 0. It is None where the policy had
    nothing to say.
    """

    drawn: int
    right: int
    share: float | None
    cost: Cost = field(default_factory=Cost)


async def estimate(state: State, config: SearchConfig, tools: SearchServices, seed: int) -> Completions:
    """Draw ``config.candidates`` completions of ``state`` and grade them; ones without an answer are wrong.

    Where all that is left is to state the answer, one greedy completion says it all. With ``budget_tokens`` fewer may
    be drawn, as in ``samples.draw``. Raises ValueError without a grader.
    """
    if tools.grader is None:
        raise ValueError("labels by completion need a grader: there is none in the tools")
    if state.steps and state.steps[-1].terminal:
        return Completions(0, 0, float(tools.grader.grade(state.problem, state.steps[-1].answer)))
    if tools.format.concluding(state):
        config = config.model_copy(update={"candidates": 1, "temperature": 0.0})
    tree, start, began = Tree(state.problem, strategy="completions", seed=seed), ROOT, monotonic()
    for step in state.steps:
        start = tree.add(start, step)
    ends = [tree.nodes[index] for index in await draw_solutions(tree, config, tools, start)]
    drawn = sum(end.multiplicity for end in ends)
    right = sum(end.multiplicity for end in ends if tools.grader.grade(state.problem, end.answer))
    return Completions(drawn, right, right / drawn if drawn else None, add_elapsed(tree, began).cost)


class PrefixCompletions:
    """Completions of the beginnings of one problem's solutions, each drawn once, whichever solutions share it.

    Those after so many steps have the same seed, whatever was looked at before.
    """

    def __init__(self, config: SearchConfig, tools: SearchServices, seed: int) -> None:
        self._config, self._tools, self._seed = config, tools, seed
        self._looked: dict[Texts, asyncio.Task[Completions]] = {}

    async def look(self, solution: State, end: int) -> Completions:
        """Completions after the first ``end`` steps."""
        steps = solution.steps[:end]
        key = texts(steps)
        if key not in self._looked:
            seed = derive(self._seed, "completions", end)
            drawing = estimate(State(solution.problem, steps), self._config, self._tools, seed)
            self._looked[key] = asyncio.ensure_future(drawing)
        return await self._looked[key]

    def found(self) -> dict[Texts, Completions]:
        """What was looked at, by the texts of the steps; once no look is under way."""
        return {key: task.result() for key, task in self._looked.items()}


def texts(steps: Iterable[Step]) -> Texts:
    """What tells one beginning of a solution from another."""
    return tuple(step.text for step in steps)


async def label_every_step(solution: State, prefixes: PrefixCompletions) -> LabelledSolution:
    """Math-Shepherd: the share of completions from each step that end right (soft estimation), all steps at once.

    The last step of a finished solution has its outcome. A solution of 8 steps with k = 8 takes 7 * 8 = 56 completions.
    ``train.labels.first_error.hard`` makes the hard estimation of it: right if any completion is. ``prefixes`` of the same seed
    draw the same completions for ``find_first_error``.
    """
    found = await gather_or_cancel(prefixes.look(solution, end) for end in range(1, len(solution.steps) + 1))
    record = StepLabels(solution.problem, solution.steps, tuple(one.share for one in found), LabelScale.SHARE)
    return _labelled(record, found)


async def find_first_error(solution: State, prefixes: PrefixCompletions) -> LabelledSolution:
    """OmegaPRM: the first error of a solution, by binary search; right is a step from which any completion ends right.

    Signs up to and including the first error, all 1 where the solution itself ends right. No label where the policy had
    nothing to say. What is right must stay right for the steps before it: then the place is that which a look at every
    step would find, after at most ceil(log2(steps)) looks. Eight steps, wrong from the fifth on, k = 8: looks at 4
    (right), 6 and 5 (wrong), 24 completions.
    """
    steps = len(solution.steps)
    if not steps:
        return _labelled(StepLabels(solution.problem, ()), [])
    found = [await prefixes.look(solution, steps)]
    right, wrong = (steps, steps + 1) if found[0].share else (0, steps)  # steps that are known to be right, to be wrong
    while wrong - right > 1 and found[-1].share is not None:
        middle = (right + wrong) // 2
        found.append(await prefixes.look(solution, middle))
        right, wrong = (middle, wrong) if found[-1].share else (right, middle)
    signs = (1.0,) * right + (-1.0,) * (wrong <= steps)
    record = StepLabels(solution.problem, solution.steps, () if found[-1].share is None else signs)
    return _labelled(record, found)


def _labelled(record: StepLabels, found: list[Completions]) -> LabelledSolution:
    return LabelledSolution(record, sum(one.drawn for one in found), sum((one.cost for one in found), Cost()))
