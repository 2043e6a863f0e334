"""What a harvest rule is given and what it makes. Knows records; no method and no file."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from search.data import PreferencePair, StepLabels, Trajectory
from search.tree import Tree
from train.rules.config import RulesConfig

Record = Trajectory | PreferencePair

POLICY, VERIFIER = "policy", "verifier"


@dataclass(frozen=True, slots=True)
class Marked:
    """The marks that a judge gave one solution, each in [0, 5]; ``text`` is that of all its steps, one after another.

    A judgement in which no mark could be read is left out. Raises ValueError for a mark off the scale.
    """

    problem_id: str
    text: str
    marks: tuple[float, ...]

    def __post_init__(self) -> None:
        if any(not 0.0 <= mark <= 5.0 for mark in self.marks):
            raise ValueError(f"marks {self.marks} of {self.problem_id}: a judge gives 0 to 5")


@dataclass(frozen=True, slots=True)
class RuleInputs:
    """What there is to harvest. ``trees``: graded or scored as the rule needs it, of the strategy "samples" but for SPHERE.

    ``references``: reference solutions by problem id. ``hinted``: trees for problems whose question gives the answer
    away (``train.rules.star.hinted``). ``marked``: what a judge said about solutions in ``trees``. ``checked``: step labels
    of solutions in ``trees``, from somebody who knows.
    """

    trees: Iterable[Tree]
    references: Mapping[str, Trajectory] = field(default_factory=dict)
    hinted: Iterable[Tree] = ()
    marked: Iterable[Marked] = ()
    checked: Iterable[StepLabels] = ()


@dataclass(frozen=True, slots=True)
class Lesson:
    """What one model is to learn: records, or ``nothing``, the reason why there are none."""

    records: tuple[Record, ...]
    nothing: str = ""


@dataclass(frozen=True, slots=True)
class Harvest:
    """What a rule made: a lesson for each model that its method trains, by role, and what became of the material."""

    lessons: Mapping[str, Lesson]
    counts: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule with what it ``makes``, records by role, and the fields of Material that it ``needs`` beside the trees."""

    make: Callable[[RuleInputs, RulesConfig], Harvest]
    makes: Mapping[str, type[Record]]
    needs: tuple[str, ...] = ()


def lesson(records: Iterable[Record], otherwise: str) -> Lesson:
    """``records``, or where there are none the reason ``otherwise``."""
    every = tuple(records)
    return Lesson(every) if every else Lesson((), otherwise)
