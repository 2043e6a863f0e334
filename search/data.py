"""The vocabulary of the house: problems, steps, states, proposals, costs and what is learned from trees.

Frozen records without behaviour beyond arithmetic on themselves and checks of themselves. Knows no model, no cluster and no file.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from search.serialization import fast_pickle


class StepStatus(StrEnum):
    """What a step means for the solution it ends."""

    OPEN = "open"  # the solution goes on
    FINAL = "final"  # the step carries an answer
    CODE_ERROR = "code_error"  # its code did not run
    TOO_DEEP = "too_deep"  # the depth limit was reached without an answer
    NO_ANSWER = "no_answer"  # the model stopped, or was cut off, without a step or an answer


class Outcome(StrEnum):
    """How running a step's code ended."""

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
    """Why the policy stopped writing a candidate."""

    STOP = "stop"  # a stop string of the step format
    END = "end"  # the model's own end-of-sequence token
    LENGTH = "length"  # max_tokens


class Until(StrEnum):
    """How far one request to the policy goes."""

    STEP = "step"  # to the end of one step
    PAUSE = "pause"  # to where the world must answer (code to run) or the solution ends


class LabelScale(StrEnum):
    """What the numbers of step labels mean."""

    SIGN = "sign"  # 1 right, 0 neutral, -1 wrong
    SHARE = "share"  # in [0, 1]: the share of continuations that end right, or a probability of being right
    VALUE = "value"  # in [-1, 1]: the Q-value of the step


@dataclass(frozen=True, slots=True)
class Problem:
    """One question with its reference answer. ``level`` is the number of reasoning steps, where it is known."""

    id: str
    question: str
    answer: str
    source: str
    level: int | None = None

    def blind(self) -> Problem:
        """The same problem without its answer: what a search sees while it is evaluated."""
        return replace(self, answer="")


@dataclass(frozen=True, slots=True)
class Step:
    """One step as the policy wrote it (``text``, its closing tag included), and what came of it.

    ``code`` is the Python in ``text``; ``output`` what the code printed, or the one error line shown to the model.
    ``answer`` is set exactly when ``status`` is FINAL.
    """

    text: str
    code: str = ""
    output: str = ""
    status: StepStatus = StepStatus.OPEN
    answer: str | None = None
    outcome: Outcome = Outcome.NOT_RUN

    @property
    def terminal(self) -> bool:
        return self.status is not StepStatus.OPEN


@dataclass(frozen=True, slots=True)
class State:
    """A problem and the steps taken so far: what a policy continues and a reward model judges."""

    problem: Problem
    steps: tuple[Step, ...] = ()

    def then(self, *steps: Step) -> State:
        return State(self.problem, self.steps + steps)


@fast_pickle
@dataclass(frozen=True, slots=True)
class Sampling:
    """How candidates are drawn. ``temperature`` 0 is greedy; ``top_k`` 0 and ``top_p`` 1 mean no cut."""

    temperature: float = 1.0
    top_p: float = 1.0
    top_k: int = 0
    max_tokens: int = 256
    until: Until = Until.STEP


@fast_pickle
@dataclass(frozen=True, slots=True)
class Candidate:
    """One continuation: its text (stop string included), token ids and why it ended."""

    text: str
    token_ids: tuple[int, ...]
    finish: Finish


@fast_pickle
@dataclass(frozen=True, slots=True)
class Proposal:
    """What a policy answers: n candidates and what they cost. ``version`` names the weights that wrote them."""

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
    """Raw reward logits, one a state, in the order asked; ``version`` names the weights that gave them."""

    logits: tuple[float, ...]
    prompt_tokens: int = 0
    cached_tokens: int = 0
    version: int = 0


@dataclass(frozen=True, slots=True)
class Cost:
    """What was spent. Tokens are counted at the engines; ``seconds`` is wall time of the tree, waiting included.

    Prompts are counted whole, and what of them a prefix cache had already as ``cached``.
    """

    generated_tokens: int = 0
    prompt_tokens: int = 0
    cached_tokens: int = 0
    scored_tokens: int = 0
    requests: int = 0
    executions: int = 0
    seconds: float = 0.0
    scored_cached_tokens: int = 0

    def __add__(self, other: Cost) -> Cost:
        return Cost(
            self.generated_tokens + other.generated_tokens,
            self.prompt_tokens + other.prompt_tokens,
            self.cached_tokens + other.cached_tokens,
            self.scored_tokens + other.scored_tokens,
            self.requests + other.requests,
            self.executions + other.executions,
            self.seconds + other.seconds,
            self.scored_cached_tokens + other.scored_cached_tokens,
        )


@fast_pickle
@dataclass(frozen=True, slots=True)
class ModelRef:
    """A model directory by role ("policy", "reward_model"), the round that made it (0 = base) and a weight version."""

    role: str
    path: str
    round: int = 0
    version: int = 0


@dataclass(frozen=True, slots=True)
class Trajectory:
    """A finished solution taken from a tree. ``q`` is the mean Q-value of its steps, each in [-1, 1]."""

    problem: Problem
    steps: tuple[Step, ...]
    correct: bool
    q: float
    values: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class PreferencePair:
    """``chosen`` is preferred over ``rejected`` after the shared ``prefix``.

    Step pairs: both sides are one step. Answer pairs: the prefix is empty and both sides are whole solutions.
    """

    problem: Problem
    prefix: tuple[Step, ...]
    chosen: tuple[Step, ...]
    rejected: tuple[Step, ...]
    chosen_q: float
    rejected_q: float


@dataclass(frozen=True, slots=True)
class StepLabels:
    """A label a step, for as many steps as there are labels; a person's labels stop at the first wrong step.

    Three steps of which the second is wrong: ``labels=(1, -1)`` with SIGN, ``(0.875, 0.0, 0.0)`` with SHARE. None
    stands for a step that has no label: it is only what leads to the next one.
    Raises ValueError where there are more labels than steps, or a label is not on the scale.
    """

    problem: Problem
    steps: tuple[Step, ...]
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
    """Step labels, and what it cost to find them: ``completions`` drawn to the end, and all that ``cost`` counts."""

    record: StepLabels
    completions: int = 0
    cost: Cost = Cost()
