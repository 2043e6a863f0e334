"""Independent solutions: greedy, majority@k and best-of-N all read the tree that this strategy grows.

Every solution is a chain below the root; solutions with the same text are one chain with a multiplicity. Knows drawing
and scoring; voting.py decides what the answers mean.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from time import monotonic

from search.config import SearchConfig
from search.growth import NO_CANDIDATE, count, execute, fail, squash
from search.protocols import Tools
from search.seeds import derive
from search.tree import ROOT, Tree
from search.types import Cost, Outcome, Problem, Sampling, State, Step, StepStatus, Until


@dataclass(frozen=True, slots=True)
class Samples:
    """The strategy "samples"."""

    config: SearchConfig

    async def search(self, problem: Problem, tools: Tools, seed: int) -> Tree:
        """Draw ``config.candidates`` solutions of one problem and score their ends."""
        config, tree, began = self.config, Tree(problem, strategy="samples", seed=seed), monotonic()
        sampling = Sampling(
            config.temperature, config.top_p, config.top_k, config.max_solution_tokens, until=Until.PAUSE
        )
        root = State(problem)
        proposal = await tools.policy.propose(root, config.candidates, sampling, derive(seed, "samples"))
        count(tree, proposal)
        if not proposal.candidates:
            fail(tree, NO_CANDIDATE)
        drawn: dict[str, list[int]] = {}
        for candidate in proposal.candidates:
            drawn.setdefault(candidate.text, []).append(len(candidate.token_ids))
        parsed = {c.text: tools.format.parse(c) for c in proposal.candidates}
        chains = await asyncio.gather(
            *(self._finish(tree, root, parsed[text], index, tools) for index, text in enumerate(drawn))
        )
        ends = [self._add(tree, steps, len(many), many[0]) for steps, many in zip(chains, drawn.values(), strict=True)]
        await self._judge(tree, ends, tools)
        tree.cost = tree.cost + Cost(seconds=monotonic() - began)
        return tree

    async def _finish(
        self, tree: Tree, root: State, steps: tuple[Step, ...], index: int, tools: Tools
    ) -> tuple[Step, ...]:
        """Run the program at a pause and let the policy state the answer; all steps of the solution."""
        if not steps:
            return (Step("", status=StepStatus.NO_ANSWER),)
        *before, last = steps
        if any(step.terminal for step in before):
            return tuple(before)
        before = [replace(step, outcome=Outcome.OK) if step.code else step for step in before]
        last = await execute(tree, root.then(*before), last, tools)
        state = root.then(*before, last)
        if last.terminal:
            return state.steps
        if not tools.format.concluding(state) or len(state.steps) >= self.config.max_depth:
            status = StepStatus.TOO_DEEP if len(state.steps) >= self.config.max_depth else StepStatus.NO_ANSWER
            return (*before, replace(last, status=status))
        sampling = Sampling(temperature=0.0, max_tokens=self.config.max_step_tokens)
        proposal = await tools.policy.propose(state, 1, sampling, derive(tree.seed, "answer", index))
        count(tree, proposal)
        if not proposal.candidates:
            return (*state.steps, Step("", status=StepStatus.NO_ANSWER))
        final = tools.format.parse(proposal.candidates[0])
        return (*state.steps, *(final[:1] or (Step("", status=StepStatus.NO_ANSWER),)))

    def _add(self, tree: Tree, steps: tuple[Step, ...], multiplicity: int, tokens: int) -> int:
        """Add a chain below the root; returns its last node."""
        index = ROOT
        for step in steps:
            index = tree.add(index, step, multiplicity=multiplicity)
        tree.nodes[index].tokens = tokens
        last = steps[-1]
        if last.answer is None:
            fail(tree, last.outcome if last.status is StepStatus.CODE_ERROR else last.status)
        return index

    async def _judge(self, tree: Tree, ends: list[int], tools: Tools) -> None:
        """Grade and score the solutions that have an answer, as far as there is a grader and a scorer."""
        done = [i for i in ends if (step := tree.nodes[i].step) is not None and step.answer is not None]
        for i in done:
            step = tree.nodes[i].step
            if tools.grader is not None and step is not None:
                tree.nodes[i].correct = tools.grader.grade(tree.problem, step.answer)
        if tools.scorer is None or not done:
            return
        scores = await tools.scorer.score([tree.state(i) for i in done])
        count(tree, scores)
        for i, logit in zip(done, scores.logits, strict=True):
            tree.nodes[i].score = squash(logit, self.config.squash_scale)
