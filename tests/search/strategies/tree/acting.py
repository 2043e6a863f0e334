"""A policy in single words that tells rStar's actions apart by the request in the question, and second policies.

Steps are the words of ``words.py``; a step that was begun for the policy comes back with its beginning, which ``bare``
takes off again: ``Step 2: Smaller question:q?s`` is the word ``q?s``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from search.data import Proposal, Sampling, State, Step, Until
from search.formats.plain_format import PlainFormat
from search.protocols import SearchServices
from search.strategies.tree.rstar_actions import Action
from search.strategies.tree.rstar_prompts import INSTRUCTIONS
from search.tree import Tree
from tests.search.words import NoCode, WordGrader, Words, candidate, word

BEGUN = re.compile(r"^Step \d+: (Smaller question|In other words):")


def bare(step: Step | None) -> str:
    return BEGUN.sub("", word(step))


def action_of(question: str) -> Action | None:
    return next((action for action, words in INSTRUCTIONS.items() if question.endswith(words)), None)


@dataclass
class ActingPolicy:
    """Answers with the lines that ``table`` has for the words so far and the action; nothing where it has none.

    ``asked`` records words so far, action, the beginning of the step, how many were asked for and how.
    """

    table: Mapping[tuple[Words, Action | None], Sequence[str]]
    asked: list[tuple[Words, Action | None, str, int, Until]] = field(default_factory=list)

    async def propose(self, state: State, n: int, sampling: Sampling, seed: int) -> Proposal:
        steps = list(state.steps)
        begun = steps.pop().text if steps and not steps[-1].is_terminal and not steps[-1].text.endswith("\n\n") else ""
        so_far, action = tuple(bare(step) for step in steps), action_of(state.problem.question)
        self.asked.append((so_far, action, begun, n, sampling.until))
        return Proposal(tuple(candidate(line) for line in self.table.get((so_far, action), ())[:n]), version=2)


@dataclass
class Agreeable:
    """A second policy that ends every solution with the same line; records what it was shown."""

    line: str
    shown: list[Words] = field(default_factory=list)

    async def propose(self, state: State, n: int, sampling: Sampling, seed: int) -> Proposal:
        self.shown.append(tuple(bare(step) for step in state.steps))
        assert (n, sampling.temperature, sampling.until) == (1, 0.0, Until.PAUSE)
        return Proposal((candidate(self.line),) if self.line else ())


def acting_services(policy: ActingPolicy, second: Agreeable | None = None, *, graded: bool = False) -> SearchServices:
    return SearchServices(
        policy=policy,
        executor=NoCode(),
        format=PlainFormat(),
        reward_model=None,
        grader=WordGrader() if graded else None,
        second_policy=second,
    )


def drawn(tree: Tree) -> list[tuple[int, str, str, int, float]]:
    """Parent, action, word, visits and value of every node but the root."""
    return [(n.parent, n.action, bare(n.step), n.visits, n.value_sum) for n in tree.nodes[1:]]
