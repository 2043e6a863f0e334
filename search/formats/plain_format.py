r"""The step format "plain": steps in words, for base models, which follow no chat template and may not end by themselves."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import KW_ONLY, dataclass, replace
from typing import ClassVar

from search.data import Candidate, Finish, State, Step, Until
from search.formats.base import Segment, Source
from search.formats.prose import SEPARATORS, Delimiter, before_candidate, parse_prose, stop_strings
from search.formats.turns import lay_out, written

NEXT_QUESTION = "\nQuestion:"
HOW = {
    Delimiter.BLANK_LINE: "step by step, a blank line after each step",
    Delimiter.LINE: "step by step, each step in a line of its own",
    Delimiter.NUMBERED: "in numbered steps",
}


@dataclass(frozen=True, slots=True)
class PlainFormat:
    r"""Steps in words: ``Step k: …`` and a blank line; the last step ends in ``\boxed{…}``.

    A solution ends where the model ends its text, begins another question, or ends a step in a box. ``shots`` are worked
    examples before the question, a blank line between two of them.
    """

    shots: tuple[str, ...] = ()
    name: str = "plain"
    _: KW_ONLY
    delimiter: Delimiter = Delimiter.BLANK_LINE
    runs_code: ClassVar[bool] = False
    begins_in_thinking: ClassVar[bool] = False
    turn_end: ClassVar[str] = ""
    tags: ClassVar[tuple[str, ...]] = ()

    @property
    def separator(self) -> str:
        return SEPARATORS[self.delimiter]

    def opening(self, label: str, number: int) -> str:
        return f"Step {number}: {label}:"

    def segments(self, state: State) -> tuple[Segment, ...]:
        return tuple(self._segments(state))

    def _segments(self, state: State) -> Iterator[Segment]:
        turns = lay_out(state)
        question = f"Question: {turns.question}\n"
        if not turns.is_judgement:
            question += f"Answer {HOW[self.delimiter]}, the final answer in \\boxed{{}}.\n"
        shots = () if turns.is_judgement else self.shots
        yield Segment("\n\n".join((*shots, f"{question}\n")), Source.PROMPT, (turns.question,))
        for exchange in turns.exchanges:
            yield from (Segment(step.text, Source.PROMPT) for step in exchange.attempt)
            yield from map(Segment.of_step, exchange.steps)
            gap = "" if exchange.text.endswith("\n\n") else "\n" if exchange.text.endswith("\n") else "\n\n"
            yield Segment(f"{gap}{exchange.request}\n\n", Source.PROMPT, (exchange.request,))
        yield from map(Segment.of_step, turns.steps)

    def for_reward_model(self) -> PlainFormat:
        return replace(self, shots=())

    def concluding(self, state: State) -> bool:
        return False

    def stops(self, state: State, until: Until) -> tuple[str, ...]:
        if until is Until.PAUSE:
            return (NEXT_QUESTION,)
        return (*stop_strings(self.delimiter, written(lay_out(state).steps)), NEXT_QUESTION)

    def parse(self, candidate: Candidate, state: State | None = None) -> tuple[Step, ...]:
        text, finish = candidate.text, candidate.finish
        if text.endswith(NEXT_QUESTION):
            text, finish = text.removesuffix(NEXT_QUESTION), Finish.END
        return parse_prose(text, finish, self.delimiter, before_candidate(state), ends_at_box=True)
