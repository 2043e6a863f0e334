r"""The step format "chat": steps in prose under the model's own chat template, the answer in ``\boxed{}``.

The template renders the turns of system and user, and where the model's turn begins and ends. What the model wrote stands
in between as it was written and is never rendered, so every state begins with the text of the states before it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import KW_ONLY, dataclass, replace
from functools import lru_cache
from itertools import takewhile
from typing import ClassVar

from search.data import Candidate, Finish, State, Step, StepStatus, Until
from search.errors import UserError
from search.formats.base import Segment, Source
from search.formats.chat_template import ChatTemplate, Message, TemplateRefused
from search.formats.prose import SEPARATORS, Before, Delimiter, before_candidate, parse_prose, stop_strings
from search.formats.thinking import BEGIN, END, begins_thinking, is_thinking, without_thinking_steps
from search.formats.turns import Turns, lay_out, read_on

SYSTEM_TEXT = r"Please reason step by step, and put your final answer within \boxed{}."  # Qwen2.5-Math's
SHOT = re.compile(r"\s*<\|user\|>:\s*(.+?)\s*\n<\|assistant\|>:\s*(.+?)\s*", re.DOTALL)
MARK = "RAYSTARSOLUTION"  # stands for the model's text where the text after it is wanted
SPECIAL_TOKEN = re.compile(r"<[^<>\s]+>|\[[^\[\]\s]+\]")
CACHED_PROMPTS = 1 << 12  # a kilobyte or two each


@dataclass(frozen=True, slots=True)
class ChatFormat:
    """Prose under a chat template.

    A solution ends where the model ends its turn; its answer is that of its last box, else what it states in
    words (``search.grading.extract_answer``). A block of thinking is one step,
    however many paragraphs it has. What a search puts in after a step, the step's ``output``, is shown as the world's text.
    A template that takes no system text gets it in front of the first question.

    Attributes:
        template: the model's own chat template (``read_chat_template``).
        shots: worked examples, each ``<|user|>: question``, then ``<|assistant|>: solution`` in a new line; they become
            earlier turns.
        system: the system text; None: none, and the template may bring its own.
        delimiter: what ends a step.
        thinking: ``enable_thinking`` of templates that have it (Qwen3).
        for_rewards: the format as a reward model reads it: without worked examples and thinking.
    """

    template: ChatTemplate
    _: KW_ONLY
    shots: tuple[str, ...] = ()
    system: str | None = SYSTEM_TEXT
    delimiter: Delimiter = Delimiter.BLANK_LINE
    thinking: bool = False
    for_rewards: bool = False
    name: str = "chat"
    runs_code: ClassVar[bool] = False
    tags: ClassVar[tuple[str, ...]] = ()

    @property
    def separator(self) -> str:
        return SEPARATORS[self.delimiter]

    @property
    def begins_in_thinking(self) -> bool:
        return opens_thinking(self) or (self.thinking and not skips_thinking(self))

    @property
    def turn_end(self) -> str:
        return end_of_turn(self.template)

    def opening(self, label: str, number: int) -> str:
        return f"{label}:"

    def segments(self, state: State) -> tuple[Segment, ...]:
        return tuple(self._segments(lay_out(state)))

    def _segments(self, turns: Turns) -> Iterator[Segment]:
        shots = () if turns.is_judgement else self.shots
        yield Segment(render_prompt(self, shots, turns.question), Source.PROMPT, (turns.question.strip(),))
        for exchange in turns.exchanges:
            yield from self._steps(exchange.attempt, Source.PROMPT)
            yield from self._steps(exchange.steps, Source.MODEL)
            yield Segment(render_request(self, exchange.request), Source.PROMPT, (exchange.request.strip(),))
        yield from self._steps(turns.steps, Source.MODEL)

    def _steps(self, steps: tuple[Step, ...], source: Source) -> Iterator[Segment]:
        texts = [text for step in steps for text in (step.text, step.output)]
        if self.for_rewards:
            texts = without_thinking_steps(texts, is_begun=opens_thinking(self))
        for step, text, put_in in zip(steps, texts[::2], texts[1::2], strict=True):
            is_whole = source is Source.MODEL and text == step.text
            yield Segment.of_step(step) if is_whole else Segment(text, source)
            if put_in:
                yield Segment(put_in, Source.WORLD if source is Source.MODEL else source)

    def for_reward_model(self) -> ChatFormat:
        return replace(self, shots=(), for_rewards=True)

    def concluding(self, state: State) -> bool:
        return False

    def stops(self, state: State, until: Until) -> tuple[str, ...]:
        turn = read_on(lay_out(state).steps)
        ends = (self.turn_end,) if self.turn_end else ()
        if until is Until.PAUSE:
            return ends
        if is_thinking(turn, is_begun=opens_thinking(self), is_expected=self.begins_in_thinking):
            return (END, *ends)
        return (*stop_strings(self.delimiter, turn), *ends)

    def parse(self, candidate: Candidate, state: State | None = None) -> tuple[Step, ...]:
        text, finish = candidate.text, candidate.finish
        if self.turn_end and text.endswith(self.turn_end):
            text, finish = text.removesuffix(self.turn_end), Finish.END
        before = before_candidate(state)
        if is_thinking(before.turn + text.partition(END)[0], is_begun=opens_thinking(self)):
            return self._parse_thinking(text, finish, before)
        return parse_prose(text, finish, self.delimiter, before)

    def _parse_thinking(self, text: str, finish: Finish, before: Before) -> tuple[Step, ...]:
        """Return the step of thinking that a text begins with, then the steps after it.

        A block that is not closed stays open. A closed one ends in a blank line, as every family writes it.
        """
        thought, end, rest = text.partition(END)
        if not end:
            status = StepStatus.NO_ANSWER if finish is Finish.END else StepStatus.OPEN
            return (Step(text, status=status),) if text or finish is Finish.END else ()
        step = Step(f"{thought}{end}\n\n")
        if finish is Finish.STOP and not rest.strip():
            return (step,)
        before = replace(before, solution=before.solution + step.text, turn=before.turn + step.text)
        return (step, *parse_prose(rest, finish, self.delimiter, before))


@lru_cache(maxsize=CACHED_PROMPTS)
def render_prompt(form: ChatFormat, shots: tuple[str, ...], question: str) -> str:
    """Return the turns up to where the model begins its solution. Raises UserError where the template refuses them."""
    messages: list[Message] = []
    for shot in shots:
        example, solution = turns_of_shot(shot)
        messages += [user(example), {"role": "assistant", "content": solution}]
    messages.append(user(question))
    if form.system is not None:
        if takes_system_text(form.template):
            messages.insert(0, {"role": "system", "content": form.system})
        else:
            messages[0] = user(f"{form.system}\n\n{messages[0]['content']}")
    return _rendered(form, messages)


@lru_cache(maxsize=CACHED_PROMPTS)
def render_request(form: ChatFormat, request: str) -> str:
    """Return what stands between the steps before a request and those after it: end of turn, request, a new turn.

    It is what the template puts after the model's text. System text and worked examples are left out of that rendering:
    they are at the head of the state, and some templates repeat the system text in the last turn of the user.
    """
    messages = [user("?"), {"role": "assistant", "content": MARK}, user(request)]
    _, mark, after = _rendered(form, messages).rpartition(MARK)
    if not mark:
        raise UserError("the chat template leaves out what the model said before: requests after steps need it")
    return after


def _rendered(form: ChatFormat, messages: list[Message]) -> str:
    thinking = form.thinking and not form.for_rewards
    text = form.template.render(messages, add_generation_prompt=True, enable_thinking=thinking)
    if form.for_rewards and begins_thinking(text):
        return text[: text.rindex(BEGIN)]
    return text


def user(content: str) -> Message:
    """Return a message of the user."""
    return {"role": "user", "content": content}


def turns_of_shot(shot: str) -> tuple[str, str]:
    """Return question and solution of a worked example. Raises UserError where it does not have both."""
    match = SHOT.fullmatch(shot)
    if match is None:
        raise UserError(
            "policy.shots: a worked example of the format chat is '<|user|>: QUESTION', then in a new line "
            f"'<|assistant|>: SOLUTION'; this one begins {shot[:40]!r}"
        )
    return match[1], match[2]


@lru_cache(maxsize=64)
def takes_system_text(template: ChatTemplate) -> bool:
    """Return whether a template renders a system text."""
    messages = [{"role": "system", "content": MARK}, user("?")]
    try:
        return MARK in template.render(messages, add_generation_prompt=True)
    except TemplateRefused:
        return False


@lru_cache(maxsize=64)
def end_of_turn(template: ChatTemplate) -> str:
    """Return the token that a template puts after what the model said; that of the sequence's end where it puts none."""
    said: list[Message] = [user("?"), {"role": "assistant", "content": MARK}]
    last = template.render(said, add_generation_prompt=False).rpartition(MARK)[2]
    followed = template.render([*said, user("?")], add_generation_prompt=False).rpartition(MARK)[2]
    common = "".join(
        a for a, _ in takewhile(lambda pair: pair[0] == pair[1], zip(last, followed, strict=False))
    ).split()
    token = SPECIAL_TOKEN.match(common[0]) if common else None
    if token is not None:
        return token.group()
    return common[0] if common else dict(template.special_tokens).get("eos_token", "")


@lru_cache(maxsize=64)
def opens_thinking(form: ChatFormat) -> bool:
    """Return whether the template begins the model's turn with a block of thinking."""
    return begins_thinking(form.template.render([user("?")], add_generation_prompt=True, enable_thinking=form.thinking))


@lru_cache(maxsize=64)
def skips_thinking(form: ChatFormat) -> bool:
    """Return whether the template begins the model's turn with a finished block of thinking."""
    text = form.template.render([user("?")], add_generation_prompt=True, enable_thinking=form.thinking)
    return text.rstrip().endswith(END)
