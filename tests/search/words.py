"""Searches whose steps are single words: a policy that answers from a table, and a reward for each word.

A step is its word. ``=7`` is a step with the answer 7, ``!`` one that was cut off before an end; ``a =7`` is a solution
of two steps. Every word is 10 tokens long. With ``delays``, answers come after a random number of turns of the loop.
"""

from __future__ import annotations

import asyncio
import math
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from search.data import Candidate, Finish, Problem, Proposal, Sampling, Scores, State, Step, Until
from search.formats.plain_format import PlainFormat
from search.protocols import SearchServices
from search.tree import Node, Tree

PROBLEM = Problem(id="p1", question="What is 3 + 4?", answer="7", source="test")
TOKENS = 10

Words = tuple[str, ...]


def word(step: Step | None) -> str:
    """Return the word of a step; empty for the question."""
    if step is None:
        return ""
    return f"={step.answer}" if step.answer is not None else step.text.strip()


def words(state: State) -> Words:
    return tuple(word(step) for step in state.steps)


def candidate(line: str) -> Candidate:
    """Return the candidate of one word or several."""
    *before, last = line.split(" ")
    so_far, tokens = "".join(f"{word}\n\n" for word in before), tuple(range(TOKENS * (len(before) + 1)))
    if last.startswith("="):
        return Candidate(f"{so_far}\\boxed{{{last[1:]}}}", tokens, Finish.END)
    if last.startswith("!"):
        return Candidate(f"{so_far}{last}", tokens, Finish.LENGTH)
    return Candidate(f"{so_far}{last}\n\n", tokens, Finish.STOP)


@dataclass
class WordPolicy:
    """Proposes the words that ``table`` has for the words so far, and whole solutions from ``lines``, in turn.

    ``requests`` counts requests and ``read`` the lines proposed, by words so far. ``inflight`` is the number of requests
    that are neither answered nor cancelled. The request number ``broken``, from 1, raises ConnectionError; words in
    ``stuck`` are never answered.
    """

    table: Mapping[Words, Sequence[str]]
    delays: random.Random | None = None
    broken: int | None = None
    stuck: frozenset[Words] = frozenset()
    lines: Sequence[str] = ()
    requests: Counter[Words] = field(default_factory=Counter)
    inflight: int = 0
    read: Counter[Words] = field(default_factory=Counter)

    async def propose(self, state: State, n: int, sampling: Sampling, seed: int) -> Proposal:
        so_far = words(state)
        self.requests[so_far] += 1
        number = self.requests.total()
        self.inflight += 1
        try:
            await wait(self.delays)
            if so_far in self.stuck:
                await asyncio.Event().wait()
        finally:
            self.inflight -= 1
        if number == self.broken:
            raise ConnectionError("engine lost")
        if sampling.until is Until.STEP:
            drawn = self.next_of(self.table[so_far], self.requests[so_far] - 1, n)
        else:
            before = self.read[so_far]
            drawn, self.read[so_far] = self.lines[before : before + n], before + n
        return Proposal(tuple(candidate(line) for line in drawn))

    @staticmethod
    def next_of(choices: Sequence[str], before: int, n: int) -> Sequence[str]:
        """Return the n choices after those of ``before`` requests, from the first again if none is left."""
        return choices[before * n :][:n] or choices[:n]


async def wait(delays: random.Random | None) -> None:
    for _ in range(delays.randrange(6) if delays is not None else 0):
        await asyncio.sleep(0)


@dataclass
class WordRewardModel:
    """Scores a state by the reward of its last word, 0 for a word that has none."""

    rewards: Mapping[str, float]
    delays: random.Random | None = None

    async def score(self, states: Sequence[State]) -> Scores:
        await wait(self.delays)
        return Scores(tuple(math.atanh(self.rewards.get(words(state)[-1], 0.0)) for state in states), prompt_tokens=1)


class NoCode:
    """Fails: words contain no code."""

    async def run(self, state: State, steps: Sequence[Step]) -> list[Step]:
        raise AssertionError("words contain no code")


class WordGrader:
    """Grades an answer as correct if it is written like the reference."""

    def grade(self, problem: Problem, answer: str | None) -> bool:
        return answer == problem.answer


def word_services(
    policy: WordPolicy, rewards: Mapping[str, float] | None = None, *, graded: bool = False
) -> SearchServices:
    reward_model = None if rewards is None else WordRewardModel(rewards, policy.delays)
    return SearchServices(
        policy=policy,
        executor=NoCode(),
        format=PlainFormat(),
        reward_model=reward_model,
        grader=WordGrader() if graded else None,
    )


def shape(tree: Tree) -> list[tuple[object, ...]]:
    """Return all that a strategy writes into nodes."""
    return [
        (n.parent, word(n.step), n.visits, n.value_sum, n.score, n.correct, n.multiplicity, n.label, n.completions)
        for n in tree.nodes
    ]


def expanded(tree: Tree) -> list[str]:
    """Return the words of the nodes that were expanded."""
    return [word(node.step) for node in tree.nodes if node.is_expanded]


def check_sums(tree: Tree) -> None:
    """Check that visits and values of every node are those of its live children plus those of rollouts that ended there."""
    for index, node in enumerate(tree.nodes):
        if node.is_failed:
            assert (node.visits, node.value_sum) == (1, -1.0)  # its own value, which no rollout backed up
            continue
        below = [tree.nodes[child] for child in tree.live_children(index)]
        ended = node.visits - sum(child.visits for child in below)
        # rollouts end at answers and where no child is live, though one may be drawn later
        assert ended == 0 or (ended > 0 and (not below or node.draws > 1))
        values = math.fsum(child.value_sum for child in below) + ended * end_value(node)
        assert math.isclose(node.value_sum, values, abs_tol=1e-9)


def end_value(node: Node) -> float:
    """Return +1 or -1 for a grade, else the reward of an answer, else -1."""
    if node.correct is not None:
        return 1.0 if node.correct else -1.0
    return (node.score or 0.0) if node.answer is not None else -1.0
