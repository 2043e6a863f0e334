"""A generative judge: any language model, asked for a mark of the last step or of the solution so far.

The request stands alone in the model's chat template: no step format, no worked examples. Several judgements are drawn;
their marks are averaged, with half a mark of doubt on either side, so that agreement of all is still finite log-odds.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from search.data import Aggregation, State
from search.errors import UserError
from search.formats.base import StepFormat
from search.formats.chat_template import ChatTemplate, read_chat_template
from search.formats.marks import parse_mark
from search.reward_models.base import (
    KindEntry,
    ModelFacts,
    Reading,
    RenderedState,
    RewardAdapter,
    solution_steps,
)
from search.reward_models.chat import render_prompt, user
from search.reward_models.config import JudgeConfig, ReadingConfig
from search.reward_models.kinds import RewardModelKind
from search.reward_models.log_odds import to_log_odds

HIGHEST_MARK = 10.0
STEP_PROMPT = (
    "Here is a problem and the beginning of its solution, in steps.\n\nProblem:\n{question}\n\nSolution so far:\n"
    "{solution}\n\nLook at step {number} only and take the steps before it as they are. Check its reasoning and every "
    "computation in it. Say briefly what you find, then write how sure you are that step {number} is correct, from 0 "
    "(certainly incorrect) to 10 (certainly correct), in a last line of its own: Score: <number>"
)
SOLUTION_PROMPT = (
    "Here is a problem and a solution, which may be unfinished.\n\nProblem:\n{question}\n\nSolution:\n{solution}\n\nCheck "
    "every step and every computation. Say briefly what you find, then write how sure you are that the solution is "
    "correct, or will be once it is finished in the same way, from 0 (certainly not) to 10 (certainly), in a last line of "
    "its own: Score: <number>"
)
FIELDS = re.compile(r"\{(question|solution|number)\}")


@dataclass(frozen=True, kw_only=True)
class Judge(RewardAdapter):
    """The request to the judge, and its marks as log-odds. Without a chat template the request is plain text."""

    kind: RewardModelKind = RewardModelKind.JUDGE
    step_format: StepFormat
    template: ChatTemplate | None
    prompt: str
    options: JudgeConfig
    reading = Reading.JUDGEMENT

    def request(self, state: State) -> str:
        """Return what the judge is asked about a state."""
        steps = solution_steps(self.step_format, state)
        values = {
            "question": state.problem.question,
            "solution": "\n\n".join(f"Step {number}: {step}" for number, step in enumerate(steps, start=1)),
            "number": str(len(steps)),
        }
        return FIELDS.sub(lambda field: values[field.group(1)], self.prompt)

    def render(self, state: State) -> RenderedState:
        request = self.request(state)
        literals = (state.problem.question, *solution_steps(self.step_format, state))
        if self.template is None:
            return RenderedState(((f"{request}\n\n", *literals),))
        return RenderedState((render_prompt(self.template, (user(request),), literals),))

    def to_logit(self, outputs: Sequence[float]) -> float:
        """Return the log-odds of the mean of the marks in [0, 1] and one mark of a half. No mark at all gives 0."""
        return to_log_odds((sum(outputs) + 0.5) / (len(outputs) + 1))


def read_mark(judgement: str) -> float | None:
    """Return the last mark in a judgement as a share of the highest one; None if there is none or it is off the scale.

    "Score: 4\\nScore: 7/10" gives 0.7.
    """
    mark = parse_mark(judgement, HIGHEST_MARK)
    return None if mark is None else mark / HIGHEST_MARK


def read_prompt(config: JudgeConfig) -> str:
    """Return the text that asks for a mark. Raises UserError if the file of it cannot be read or lacks a field."""
    if config.prompt is None:
        return STEP_PROMPT if config.scope == "step" else SOLUTION_PROMPT
    try:
        prompt = Path(config.prompt).expanduser().read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"reward_model.judge.prompt: cannot read {config.prompt}: {error}") from error
    missing = [field for field in ("{question}", "{solution}") if field not in prompt]
    if missing:
        raise UserError(f"reward_model.judge.prompt: {config.prompt} lacks {' and '.join(missing)}")
    return prompt


def endpoint_judge(step_format: StepFormat, config: JudgeConfig) -> Judge:
    """Return the requests to a judge behind a server, which renders them by its own template. Raises UserError."""
    return Judge(step_format=step_format, template=None, prompt=read_prompt(config), options=config)


def _make(facts: ModelFacts, step_format: StepFormat, config: ReadingConfig) -> RewardAdapter:
    return Judge(
        step_format=step_format,
        template=read_chat_template(facts.directory),
        prompt=read_prompt(config.judge),
        options=config.judge,
    )


ENTRY = KindEntry(
    kind=RewardModelKind.JUDGE,
    make=_make,
    needs="a ...ForCausalLM model",
    fits=lambda facts: facts.is_language_model,
    recognise=lambda facts: False,  # any policy could be one
    aggregation=Aggregation.PRODUCT,  # of marks of steps; of marks of solutions the last: default_aggregation
)
