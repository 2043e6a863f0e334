"""States to token ids. Knows segments and a tokenizer; not what is learnt from them.

Every segment of a state is tokenised by itself and the ids are concatenated, as the policy and the reward model do, so the
position of a step's last token never depends on what follows it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from search.data import State
from search.formats.registry import Source, StepFormat

Tokenise = Callable[[list[str]], list[list[int]]]


@dataclass(frozen=True, slots=True)
class Encoded:
    """A state in tokens.

    ``tokens`` [T] ids; ``written`` [T] whether the model wrote a token; ``prompt`` tokens before the first step;
    ``ends`` [steps] the position of each step's last token: of its own text, or of what the world answered to it. It is
    where a reward model reads the state that ends with this step.
    """

    tokens: list[int]
    written: list[bool]
    prompt: int
    ends: list[int]

    @property
    def gapless(self) -> bool:
        """Whether every step has at least one token, and so an end of its own."""
        before = [self.prompt - 1, *self.ends]
        return all(a < b for a, b in zip(before, self.ends, strict=False))


@dataclass(slots=True)
class Encoder:
    """Tokenises states segment by segment; equal segments are tokenised once."""

    tokenise: Tokenise
    format: StepFormat
    eos_id: int
    cache: dict[str, list[int]] = field(default_factory=dict)

    def learn(self, states: Sequence[State]) -> None:
        """Tokenise all segments of ``states`` in one go."""
        texts = {segment.text for state in states for segment in self.format.segments(state)} - self.cache.keys()
        unique = sorted(texts)
        if unique:
            self.cache.update(zip(unique, self.tokenise(unique), strict=True))

    def encode(self, state: State, end: bool) -> Encoded:
        """A state whose segments were learnt; with ``end``, the end-of-sequence token follows an answer."""
        tokens: list[int] = []
        written: list[bool] = []
        ends: list[int] = []
        prompt = 0
        for segment in self.format.segments(state):
            ids = self.cache[segment.text]
            tokens.extend(ids)
            written.extend([segment.source is Source.MODEL] * len(ids))
            if segment.source is Source.MODEL:
                ends.append(len(tokens) - 1)
            elif ends:
                ends[-1] = len(tokens) - 1
            else:
                prompt = len(tokens)
        if end and state.steps and state.steps[-1].answer is not None:
            tokens.append(self.eos_id)
            written.append(True)
        return Encoded(tokens, written, prompt, ends)
