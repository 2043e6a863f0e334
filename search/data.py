"""Shared data types: problems, steps, states, proposals, costs and training records.

All are frozen dataclasses. Those that cross processes thousands of times a second (``fast_pickle``) take positional
arguments, because their pickle is a positional call; the others name most of their fields.
"""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass, fields, replace
from enum import StrEnum
from operator import not_
from typing import Annotated

from pydantic import Field

from search.serialization import fast_pickle


class StepStatus(StrEnum):
    """State of a solution after its last step. Every status but OPEN ends the solution."""

    OPEN = "open"  # the solution continues
    FINAL = "final"  # the step carries an answer
    CODE_ERROR = "code_error"  # the step's code failed
    TOO_DEEP = "too_deep"  # the depth limit was reached without an answer
    NO_ANSWER = "no_answer"  # the model stopped, or was cut off, without a step or an answer


class Outcome(StrEnum):
    """Result of executing a step's code."""

    NOT_RUN = "not_run"
    OK = "ok"
    SYNTAX_ERROR = "syntax_error"
    EXCEPTION = "exception"
    TIMEOUT = "timeout"
    OUT_OF_MEMORY = "out_of_memory"
    OUTPUT_TRUNCATED = "output_truncated"
    FORBIDDEN = "forbidden"
    CRASHED = "crashed"


class Finish(StrEnum):
    """Reason why the generation of a candidate stopped."""

    STOP = "stop"  # a stop string of the step format
    END = "end"  # the model's own end-of-sequence token
    LENGTH = "length"  # max_tokens


class Until(StrEnum):
    """Point up to which one policy request generates."""

    STEP = "step"  # the end of one step
    PAUSE = "pause"  # the end of a program that must be run, or the end of the solution


class LabelScale(StrEnum):
    """Scale of step labels."""

    SIGN = "sign"  # 1 correct, 0 neutral, -1 incorrect
    SHARE = "share"  # in [0, 1]: share of completions that end correct, or probability that the step is correct
    VALUE = "value"  # in [-1, 1]: Q-value of the step


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """A question with its reference answer. ``level`` is the number of reasoning steps, if known.

    ``request`` is put to a policy with every state of the problem: a hint, or what is to be judged.
    """

    id: str
    question: str
    answer: str
    source: str
    level: int | None = None
    request: Annotated[Request | None, Field(exclude_if=not_)] = None

    def without_answer(self) -> Problem:
        """Return the problem without its reference answer, as an evaluated search sees it."""
        return replace(self, answer="")


@dataclass(frozen=True, slots=True)
class Step:
    """One reasoning step.

    ``text`` is the step as generated, closing tag included. ``code`` is the Python in it; ``output`` is what the code
    printed, or the one error line that the model is shown. ``answer`` is set if and only if ``status`` is FINAL.
    ``drawn_ids`` are the token ids that the policy drew, if they say exactly ``text`` (search/tokens/drawn_ids.py).
    """

    text: str
    _: KW_ONLY
    code: str = ""
    output: str = ""
    status: StepStatus = StepStatus.OPEN
    answer: str | None = None
    outcome: Outcome = Outcome.NOT_RUN
    drawn_ids: Annotated[str, Field(exclude_if=not_)] = ""

    @property
    def is_terminal(self) -> bool:
        return self.status is not StepStatus.OPEN


@dataclass(frozen=True, slots=True)
class Request:
    """A request to the policy beside the question: rStar's action, SPHERE's reflection, a judgement, STaR's hint.

    Formats render it as a user turn: question, ``attempt`` and the first ``steps_before`` steps of the state, request, the
    other steps. Where nothing stands between question and request it is a paragraph of the question's turn.

    Attributes:
        text: the request, without a word of any step format.
        attempt: an earlier solution of the problem that the request is about. It is no part of the state.
        steps_before: how many steps of the state stand before the request.
        is_judgement: the response is a judgement and not a step, so that worked examples would mislead.
        asks_for_step: the response is one step, so that the end of the model's turn is not that of the solution.
    """

    text: str
    _: KW_ONLY
    attempt: tuple[Step, ...] = ()
    steps_before: int = 0
    is_judgement: bool = False
    asks_for_step: bool = False


@dataclass(frozen=True, slots=True)
class State:
    """A problem and the steps so far: what a policy continues and a reward model scores. ``request`` is put to a policy."""

    problem: Problem
    steps: tuple[Step, ...] = ()
    request: Request | None = None

    def then(self, *steps: Step) -> State:
        """Return the state after more steps."""
        return State(self.problem, self.steps + steps, self.request)


@fast_pickle
@dataclass(frozen=True, slots=True)
class Sampling:
    """Sampling parameters of a policy request. ``temperature`` 0 is greedy; ``top_k`` 0 and ``top_p`` 1 are off."""

    temperature: float = 1.0
    top_p: float = 1.0
    top_k: int = 0
    max_tokens: int = 256
    until: Until = Until.STEP


@fast_pickle
@dataclass(frozen=True, slots=True)
class Candidate:
    """One continuation: its text (stop string included), token ids and finish reason.

    ``vocabulary`` is the digest of the vocabulary that the ids belong to; empty if it is unknown.
    """

    text: str
    token_ids: tuple[int, ...]
    finish: Finish
    vocabulary: str = ""


@fast_pickle
@dataclass(frozen=True, slots=True)
class Proposal:
    """The candidates of one policy request and their token counts. ``version`` is that of the policy's weights."""

    candidates: tuple[Candidate, ...]
    prompt_tokens: int = 0
    cached_tokens: int = 0
    version: int = 0

    @property
    def generated_tokens(self) -> int:
        return sum([len(candidate.token_ids) for candidate in self.candidates])


@fast_pickle
@dataclass(frozen=True, slots=True)
class Scores:
    """One raw reward logit per state, in the order of the request. ``version`` is that of the reward model's weights."""

    logits: tuple[float, ...]
    prompt_tokens: int = 0
    cached_tokens: int = 0
    version: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """Resources that a search has used. ``seconds`` is the tree's wall time, waiting included.

    Tokens are counted at the engines. Prompt tokens include those that the prefix cache served (``cached_tokens`` for
    the policy, ``scored_cached_tokens`` for the reward model). ``requests`` are those to all models, of which
    ``reward_model_requests`` went to the reward model and had ``scored_states`` states in all. Trees stored before these two
    were counted have 0 there.
    """

    generated_tokens: int = 0
    prompt_tokens: int = 0
    cached_tokens: int = 0
    scored_tokens: int = 0
    requests: int = 0
    executions: int = 0
    seconds: float = 0.0
    scored_cached_tokens: int = 0
    reward_model_requests: int = 0
    scored_states: int = 0

    def __add__(self, other: Cost) -> Cost:
        return Cost(**{field.name: getattr(self, field.name) + getattr(other, field.name) for field in fields(self)})


@fast_pickle
@dataclass(frozen=True, slots=True)
class ModelRef:
    """A model directory, its role ("policy", "reward_model"), the round that trained it (0 = base) and its version.

    ``kind``: how a reward model is read (search/reward_models/); empty: as its directory says.
    """

    role: str
    path: str
    round: int = 0
    version: int = 0
    kind: str = ""


@dataclass(frozen=True, slots=True)
class Trajectory:
    """A finished solution of a tree. ``values`` are the Q-values of its steps in [-1, 1], ``q`` is their mean."""

    problem: Problem
    steps: tuple[Step, ...]
    _: KW_ONLY
    correct: bool
    q: float
    values: tuple[float, ...] = ()


def _is_one(weight: float) -> bool:
    return weight == 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class PreferencePair:
    """Two continuations of ``prefix``, of which ``chosen`` is preferred, with their Q-values in [-1, 1].

    In a step pair both are one step. In an answer pair the prefix is empty and both are whole solutions. ``weight`` is that
    of the pair in the mean of the losses.
    """

    problem: Problem
    prefix: tuple[Step, ...]
    chosen: tuple[Step, ...]
    rejected: tuple[Step, ...]
    chosen_q: float
    rejected_q: float
    weight: Annotated[float, Field(gt=0.0, exclude_if=_is_one)] = 1.0


@dataclass(frozen=True, slots=True)
class StepLabels:
    """Labels of a solution's first steps, one per step. Human labels end at the first incorrect step.

    Three steps, the second incorrect: ``labels=(1, -1)`` on the scale SIGN, ``(0.875, 0.0, 0.0)`` on SHARE. A step
    labelled None is not trained on; it only leads to the next one. Raises ValueError if there are more labels than
    steps or a label is off the scale.
    """

    problem: Problem
    steps: tuple[Step, ...]
    _: KW_ONLY
    labels: tuple[float | None, ...] = ()
    scale: LabelScale = LabelScale.SIGN

    def __post_init__(self) -> None:
        if len(self.labels) > len(self.steps):
            raise ValueError(f"{len(self.labels)} labels for {len(self.steps)} steps")
        for label in self.labels:
            if label is not None and not self._on_scale(label):
                raise ValueError(f"label {label} is not on the scale {self.scale.value!r}")

    def _on_scale(self, label: float) -> bool:
        if self.scale is LabelScale.SIGN:
            return label in (-1.0, 0.0, 1.0)
        return (0.0 if self.scale is LabelScale.SHARE else -1.0) <= label <= 1.0


@dataclass(frozen=True, slots=True)
class LabelledSolution:
    """Step labels with the number of completions drawn for them and their total cost."""

    record: StepLabels
    completions: int = 0
    cost: Cost = Cost()


class Aggregation(StrEnum):
    """How the scores of a solution's steps become one score."""

    PRODUCT = "product"  # of step probabilities (Let's Verify Step by Step, section 2.4)
    MIN = "min"
    LAST = "last"
    MEAN = "mean"
