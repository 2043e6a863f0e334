"""Votes of rStar (arXiv 2408.06195, section 3.2): what an action draws several times, the step being their majority.

A2 draws ``votes`` completions; a sub-answer of A3 or A4 is drawn ``sub_votes`` times, the last one ``votes`` times. The
node is the first draw that gives the most frequent answer. Of ``Node.votes`` draws ``Node.multiplicity`` gave that answer,
and the reward of an end is this share (``reward``), which never changes.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from search.core.completion import EMPTY_STEP, finish_each
from search.core.expansion import NO_CANDIDATE, add_cost, count_failed_step, count_failure
from search.data import Candidate, Sampling, State, Step
from search.grading.extract import extract_answer
from search.grading.voting import canonical
from search.protocols import SearchServices
from search.tree import ROOT, Node, Tree

NUMBER = re.compile(r"-?\d[\d,]*(?:\.\d+)?")

canonical_form = lru_cache(maxsize=1 << 16)(canonical)


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerCounts:
    """How often A2 drew each answer, by its canonical form, and how many completions it drew in all."""

    counts: Mapping[str, int]
    drawn: int

    def share(self, answer: str) -> float:
        """Return the share of the completions that ended in an answer: of 7, 7, 12 and one without 0.5 for 7."""
        return self.counts.get(canonical_form(answer), 0) / self.drawn if self.drawn else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Majority:
    """The completion that stands for all: its steps, the tokens they took, how many draws agree with it; all answers."""

    steps: tuple[Step, ...]
    tokens: int
    agreeing: int
    answers: AnswerCounts


async def vote_on_rest(
    tree: Tree,
    state: State,
    *,
    votes: int,
    sampling: Sampling,
    seed: int,
    answer_tokens: int,
    services: SearchServices,
) -> Majority:
    """Draw ``votes`` completions of a state by one request, finish them, and return the first with the majority's answer.

    Completions with the same text are finished once. Without any answer the first completion stands for all. Failed
    completions are counted in ``tree.failures``, except the one returned: whoever adds it to the tree does that.
    """
    proposal = await services.policy.propose(state, votes, sampling, seed)
    add_cost(tree, proposal)
    if not proposal.candidates:
        count_failure(tree, NO_CANDIDATE)
        return Majority(steps=(EMPTY_STEP,), tokens=0, agreeing=1, answers=AnswerCounts(counts={}, drawn=0))
    drawn = Counter(candidate.text for candidate in proposal.candidates)
    distinct: dict[str, Candidate] = {}
    for candidate in proposal.candidates:
        distinct.setdefault(candidate.text, candidate)
    candidates = list(distinct.values())
    solutions = await finish_each(tree, state, candidates, seed, answer_tokens, services)
    counts: Counter[str] = Counter()
    for candidate, steps in zip(candidates, solutions, strict=True):
        if (key := answer_key(steps[-1])) is not None:
            counts[key] += drawn[candidate.text]
    best = max(counts, key=counts.__getitem__, default=None)  # of equals the first
    chosen = next(i for i, steps in enumerate(solutions) if best is None or answer_key(steps[-1]) == best)
    for place, steps in enumerate(solutions):
        if place != chosen and steps[-1].answer is None:
            count_failed_step(tree, steps[-1])
    return Majority(
        steps=solutions[chosen],
        tokens=len(candidates[chosen].token_ids),
        agreeing=drawn[candidates[chosen].text] if best is None else counts[best],
        answers=AnswerCounts(counts=counts, drawn=len(proposal.candidates)),
    )


def answer_key(step: Step) -> str | None:
    """Return the canonical form of a step's final answer, None without one."""
    return None if step.answer is None else canonical_form(step.answer)


def sub_answer_key(step: Step) -> str | None:
    """Return what two answers of one sub-question have to agree in; None for a step that failed.

    It is the final answer, the output of the step's code, what the text states as its answer, its last number, or else
    the whole text. "q? 5 - 2 = 3." → "3".
    """
    if step.answer is not None:
        return canonical_form(step.answer)
    if step.is_terminal:
        return None
    if step.code:
        return canonical_form(step.output) if step.output else step.text
    stated = extract_answer(step.text)
    numbers = NUMBER.findall(step.text)
    if stated is None and numbers:
        stated = numbers[-1].replace(",", "")
    return canonical_form(stated) if stated is not None else step.text.strip()


def majority(children: Sequence[Node]) -> Node:
    """Return the first of several answers to one sub-question that has the most frequent answer, with its votes.

    Draws 3, 4, 4 and one that failed: the node of the first 4, multiplicity 2 of 4 votes. Where all have failed it is the
    first one.
    """
    counts: Counter[str] = Counter()
    for node in children:
        if node.step is not None and (key := sub_answer_key(node.step)) is not None:
            counts[key] += node.multiplicity
    best = max(counts, key=counts.__getitem__, default=None)
    chosen = next(
        node for node in children if best is None or (node.step is not None and sub_answer_key(node.step) == best)
    )
    chosen.votes = sum(node.multiplicity for node in children)
    if best is not None:
        chosen.multiplicity = counts[best]
    return chosen


def merge_equal(nodes: Sequence[Node]) -> list[Node]:
    """Return nodes without repeated texts; the first of equal ones has the votes of all."""
    distinct: dict[str, Node] = {}
    for node in nodes:
        text = node.step.text if node.step is not None else ""
        first = distinct.setdefault(text, node)
        if first is not node:
            first.multiplicity += node.multiplicity
            first.votes += node.votes
    return list(distinct.values())


def reward(tree: Tree, end: int, answers: Mapping[int, AnswerCounts], counts_unvoted: bool = True) -> float:
    """Return the share of an end's votes that gave its answer; 0 without an answer.

    A node that states the output of a program has the votes of the step that ran it. An answer without votes of its own,
    stated by a step of A1, has its share of A2's votes at the nearest step above it (``answers``), or 0 unless
    ``counts_unvoted``, as in the released code.
    """
    node = tree.nodes[end]
    if node.answer is None:
        return 0.0
    voted = node if node.votes or node.action else tree.nodes[node.parent]
    if voted.votes:
        return voted.multiplicity / voted.votes
    while counts_unvoted and end != ROOT:
        end = tree.nodes[end].parent
        if end in answers:
            return answers[end].share(node.answer)
    return 0.0
