"""Scripts of ScriptedPolicy: by a table of words, of code or of rStar's actions, one line, or pseudorandom by the request."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from search.data import Candidate, Finish, Until
from search.seeds import derive
from search.strategies.tree.rstar.actions import Action
from search.strategies.tree.rstar.prompts import INSTRUCTIONS
from tests.fakes.policy import Request, Script, ScriptedPolicy
from tests.fakes.words import Words, bare, candidate, endings

END_OF_STEP, END_OF_CODE = "<end_of_step>", "<end_of_code>"


@dataclass
class WordTable:
    """Single steps: the n words of ``table`` for the words so far, a repeated request the next n, then from the start.

    Whole solutions come from ``lines``, in turn for each state; without ``lines`` from ``table`` too.
    """

    table: Mapping[Words, Sequence[str]]
    lines: Sequence[str] = ()
    _lines_read: Counter[Words] = field(default_factory=Counter)

    def __call__(self, request: Request) -> Sequence[Candidate]:
        here, n = request.words, request.n
        if request.sampling.until is Until.STEP or not self.lines:
            choices = self.table[here]
            drawn = choices[request.earlier_here * n :][:n] or choices[:n]
        else:
            read = self._lines_read[here]
            drawn, self._lines_read[here] = self.lines[read : read + n], read + n
        return [candidate(line) for line in drawn]


def word_policy(table: Mapping[Words, Sequence[str]], lines: Sequence[str] = (), **parameters: Any) -> ScriptedPolicy:
    """Return a policy with the script WordTable and other ``parameters`` of ScriptedPolicy."""
    return ScriptedPolicy(WordTable(table, lines), **parameters)


@dataclass
class CodeTable:
    """The first n texts that ``table`` has for the codes so far.

    After a program comes its output as the answer, or ``answer_text``. A candidate has as many tokens as words.
    """

    table: Mapping[tuple[str, ...], Sequence[str]]
    answer_text: str = ""

    def __call__(self, request: Request) -> Sequence[Candidate]:
        steps = request.state.steps
        if steps and steps[-1].text.endswith(END_OF_CODE):
            texts = [self.answer_text or f"\n<answer>\\boxed{{{steps[-1].output}}}<end_of_answer>"]
        else:
            texts = list(self.table[request.codes])[: request.n]
        return [Candidate(text, tuple(range(len(text.split()))), Finish.STOP) for text in texts]


def program_table(table: Mapping[str, Sequence[str] | None]) -> Script:
    """Return a script: the n lines of ``table`` for the text so far, only whole programs where the rest is drawn.

    Where the table has None the output of the program is stated as the answer. There are no requests beside the question.
    """

    def script(request: Request) -> Sequence[Candidate]:
        assert request.state.request is None
        steps = request.state.steps
        lines = table["".join(step.text for step in steps)]
        if lines is None:
            lines = [f"\\boxed{{{steps[-1].output}}}<end_of_answer>"]
        elif request.sampling.until is Until.PAUSE:
            lines = [line for line in lines if line.endswith(END_OF_CODE)]
        return [Candidate(line, (1,), Finish.STOP) for line in lines[: request.n]]

    return script


ActionRequest = tuple[Words, Action | None, str, int, Until]


def action_request(request: Request) -> ActionRequest:
    """Return the words so far, rStar's action, the begun step's text, n, and up to where to generate.

    An action is told by the request, which stands after the words so far.
    """
    steps = list(request.state.steps)
    is_begun = steps and not steps[-1].is_terminal and not steps[-1].text.endswith("\n\n")
    begun = steps.pop().text if is_begun else ""
    instruction = request.state.request.text if request.state.request else ""
    action = next((action for action in INSTRUCTIONS if INSTRUCTIONS[action] == instruction), None)
    return tuple(bare(step) for step in steps), action, begun, request.n, request.sampling.until


def action_table(table: Mapping[tuple[Words, Action | None], Sequence[str]]) -> Script:
    """Return a script: the n lines of ``table`` for the words so far and rStar's action, nothing where it has none.

    Where A3 answers a sub-question that stands there already, such as ``q?``, this is the last of the words.
    """

    def script(request: Request) -> Sequence[Candidate]:
        here, action, begun, *_ = action_request(request)
        question = begun.rpartition(":")[2]
        if action is Action.SUBQUESTION and question:
            here = (*here, question)
        return [candidate(line) for line in table.get((here, action), ())[: request.n]]

    return script


def fixed_line(line: str) -> Script:
    """Return a script that answers every request with the candidate of ``line``, with nothing if it is empty."""
    return lambda request: [candidate(line)] if line else []


def random_words(salt: int) -> Script:
    """Return a script that draws words by the seed of the request: some fail, some answer, some put a sub-question."""

    def script(request: Request) -> Sequence[Candidate]:
        rng = random.Random(f"{salt} {request.seed}")
        lines = [rng.choice(["a", "b", "q?c", "=7", "=8", "a =7", "b !", "!"]) for _ in range(request.n)]
        if request.sampling.until is Until.STEP:
            lines = [line.split(" =")[0].split(" !")[0] for line in lines]
        return [candidate(line) for line in lines]

    return script


@dataclass(frozen=True)
class HashedText:
    """Texts, of code or of words, that depend on question, request, steps, sampling, seed and ``salt`` only."""

    code: bool
    salt: str = ""

    def __call__(self, request: Request) -> Sequence[Candidate]:
        sampling = request.sampling
        texts = [step.text for step in request.state.steps]
        settings = (sampling.temperature, sampling.top_p, sampling.top_k, sampling.max_tokens, sampling.until.value)
        question = request.state.problem.question
        if request.state.request is not None:
            question += f"\n\n{request.state.request.text}"
        base = derive(request.seed, self.salt, question, *texts, *settings)
        drawn = []
        for i in range(request.n):
            number = derive(base, 0 if sampling.temperature == 0 else i)
            text, finish = self._code(request, number) if self.code else self._words(request, number)
            drawn.append(Candidate(text, tuple(range(len(text))), finish))
        return drawn

    def _words(self, request: Request, number: int) -> tuple[str, Finish]:
        until = request.sampling.until
        steps = 1 if until is Until.STEP else 1 + number % 3
        text = "".join(f"What is left? Part {(number >> (8 * k)) % 3}.\n\n" for k in range(steps))
        if until is Until.STEP and number % 5 > len(request.state.steps):
            return text, Finish.STOP
        if number % 11 == 0:
            return text + "cut", Finish.LENGTH
        before = text if until is Until.PAUSE else ""
        return f"{before}The answer is \\boxed{{{(number >> 32) % 3}}}", Finish.END

    def _code(self, request: Request, number: int) -> tuple[str, Finish]:
        steps = request.state.steps
        if steps and steps[-1].text.endswith(END_OF_CODE):
            return f"<answer>\\boxed{{{steps[-1].output}}}<end_of_answer>", Finish.STOP
        line = "raise" if number % 7 == 0 else f"# What is left?\na = {number % 3}"
        last = f"print({(number >> 16) % 3}){END_OF_CODE}"
        if request.sampling.until is Until.STEP:
            return (f"{line}{END_OF_STEP}" if number % 5 > len(steps) else last), Finish.STOP
        return f"# How many?\nb = {number % 4}{END_OF_STEP}\n{last}", Finish.STOP


def completions_by_length(correct: Mapping[int, int], silent: Collection[int] = ()) -> Script:
    """Return a script for prefixes: after k steps ``correct[k]`` of the n completions end in 7, the others in 8.

    None does without an entry. After as many steps as a number in ``silent`` there is no completion at all.
    """

    def script(request: Request) -> Sequence[Candidate]:
        length = len(request.state.steps)
        return [] if length in silent else endings(correct.get(length, 0), request.n)

    return script


def completions_by_word(correct: Mapping[str, int], solutions: Sequence[str]) -> Script:
    """Return a script: ``solutions`` from the question, and after a word ``correct[word]`` completions that end in 7."""

    def script(request: Request) -> Sequence[Candidate]:
        if not request.words:
            return [candidate(line) for line in solutions[: request.n]]
        return endings(correct.get(request.words[-1], 0), request.n)

    return script
