"""Lay out a state as turns: the question, then the model's steps and the requests between them."""

from __future__ import annotations

from dataclasses import dataclass

from search.data import Request, State, Step


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """An earlier attempt, or steps of the state, or both, and the request that follows them."""

    attempt: tuple[Step, ...]
    steps: tuple[Step, ...]
    request: str

    @property
    def text(self) -> str:
        return written(self.attempt + self.steps)


@dataclass(frozen=True, slots=True, kw_only=True)
class Turns:
    """A state as turns.

    Attributes:
        question: the question, and requests that stand before every step as paragraphs of their own.
        exchanges: steps and the request after them, in order.
        steps: the steps after the last request.
        is_judgement: a request asks for a judgement and not for a step.
    """

    question: str
    exchanges: tuple[Exchange, ...]
    steps: tuple[Step, ...]
    is_judgement: bool


def lay_out(state: State) -> Turns:
    """Return the turns of a state. A request that follows another one at once is a paragraph of the same turn."""
    requests = requests_of(state)
    paragraphs, exchanges, done = [state.problem.question], list[Exchange](), 0
    for request in requests:
        steps = state.steps[done : request.steps_before]
        done = max(done, request.steps_before)
        if request.attempt or steps:
            exchanges.append(Exchange(attempt=request.attempt, steps=steps, request=request.text))
        elif exchanges:
            last = exchanges.pop()
            text = f"{last.request}\n\n{request.text}"
            exchanges.append(Exchange(attempt=last.attempt, steps=last.steps, request=text))
        else:
            paragraphs.append(request.text)
    return Turns(
        question="\n\n".join(paragraphs),
        exchanges=tuple(exchanges),
        steps=state.steps[done:],
        is_judgement=any(request.is_judgement for request in requests),
    )


def requests_of(state: State) -> tuple[Request, ...]:
    """Return the requests of a state: that of its problem, which holds for every state of it, before its own."""
    return tuple(request for request in (state.problem.request, state.request) if request is not None)


def written(steps: tuple[Step, ...]) -> str:
    """Return the text of steps."""
    return "".join(step.text for step in steps)


def read_on(steps: tuple[Step, ...]) -> str:
    """Return the text of steps as a model reads it that goes on after them: with what was put in after each of them."""
    return "".join(step.text + step.output for step in steps)
