"""Data sets by name: where each lies on the Hugging Face Hub, its splits and its fields.

Schemas are those of the data set cards. A set is also known by its name on the Hub, with its defaults here.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from search.errors import UserError
from search.problems.config import ProblemSetConfig
from search.problems.fields import Fields
from search.problems.files import file_rows
from search.problems.hub import hub_rows
from search.problems.rows import Reading
from search.problems.sources.base import LoadedProblems, ProblemSource, load_rows

DAPO_BEFORE = re.compile(r"^Solve the following math problem step by step\..*?\n\n", re.DOTALL)
DAPO_AFTER = re.compile(r'\s*Remember to put your answer on its own line after "Answer:".*$', re.DOTALL)


def bare_dapo_question(prompt: str) -> str:
    """Return the question of a DAPO prompt without the instructions before and after it."""
    return DAPO_AFTER.sub("", DAPO_BEFORE.sub("", prompt)).strip()


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedSet:
    """A data set of the Hub with a known schema.

    Attributes:
        hub: its name there.
        subset: the subset that is read without another, None if it has none.
        splits: its splits; the first is read without another.
        fields: names of question, answer (the first usable one counts) and id.
        unusable: answers that stand for none, in lower case.
        clean: maps a question to the bare question.
    """

    name: str
    hub: str
    subset: str | None = None
    splits: tuple[str, ...] = ("train",)
    fields: Fields
    unusable: frozenset[str] = frozenset()
    clean: Callable[[str], str] | None = None


NUMINA_UNUSABLE = frozenset({"proof", "notfound", "not found", ""})

NAMED_SETS: tuple[NamedSet, ...] = (
    NamedSet(
        name="gsm8k",
        hub="openai/gsm8k",
        subset="main",
        splits=("train", "test"),
        fields=Fields("question", ("answer",), None),
    ),
    NamedSet(
        name="math",
        hub="DigitalLearningGmbH/MATH-lighteval",
        splits=("train", "test"),
        fields=Fields("problem", ("solution",), None),
    ),
    NamedSet(
        name="math-500",
        hub="HuggingFaceH4/MATH-500",
        splits=("test",),
        fields=Fields("problem", ("answer", "solution"), "unique_id"),
    ),
    NamedSet(
        name="aime",
        hub="AI-MO/aimo-validation-aime",
        fields=Fields("problem", ("answer", "solution"), "id"),
    ),
    NamedSet(name="aime-1983-2024", hub="di-zhang-fdu/AIME_1983_2024", fields=Fields("Question", ("Answer",), "ID")),
    NamedSet(name="aime-2024", hub="HuggingFaceH4/aime_2024", fields=Fields("problem", ("answer", "solution"), "id")),
    NamedSet(name="aime-2025", hub="math-ai/aime25", splits=("test",), fields=Fields("problem", ("answer",), "id")),
    NamedSet(name="amc", hub="AI-MO/aimo-validation-amc", fields=Fields("problem", ("answer",), "id")),
    NamedSet(
        name="olympiadbench",
        hub="Hothan/OlympiadBench",
        subset="OE_TO_maths_en_COMP",
        fields=Fields("question", ("final_answer",), "id"),
    ),
    NamedSet(
        name="numinamath",
        hub="AI-MO/NuminaMath-1.5",
        fields=Fields("problem", ("answer", "solution"), None),
        unusable=NUMINA_UNUSABLE,
    ),
    NamedSet(
        name="numinamath-cot",
        hub="AI-MO/NuminaMath-CoT",
        splits=("train", "test"),
        fields=Fields("problem", ("solution",), None),
        unusable=NUMINA_UNUSABLE,
    ),
    NamedSet(name="deepmath", hub="zwhe99/DeepMath-103K", fields=Fields("question", ("final_answer",), None)),
    NamedSet(
        name="omni-math",
        hub="KbsdJames/Omni-MATH",
        splits=("test",),
        fields=Fields("problem", ("answer", "solution"), None),
    ),
    NamedSet(name="big-math", hub="SynthLabsAI/Big-Math-RL-Verified", fields=Fields("problem", ("answer",), None)),
    NamedSet(
        name="dapo",
        hub="BytedTsinghua-SIA/DAPO-Math-17k",
        fields=Fields("prompt", ("reward_model.ground_truth",), "extra_info.index"),
        clean=bare_dapo_question,
    ),
)


def find_named_set(name: str) -> NamedSet | None:
    """Return the set of a name, whatever its case and hyphens ("MATH500"), or of a name on the Hub."""
    plain = _plain(name)
    return next((entry for entry in NAMED_SETS if plain == _plain(entry.name) or name == entry.hub), None)


def _plain(name: str) -> str:
    return re.sub(r"[-_ ]", "", name.lower())


def load_named_set(config: ProblemSetConfig) -> LoadedProblems:
    """Return the problems of a split of a named set, or of the file that ``config`` names as its copy. Raises UserError."""
    named = find_named_set(config.name)
    assert named is not None  # the registry asks _accepts first
    reading = Reading(
        source=named.name,
        fields=named.fields,
        is_published=True,
        unusable=named.unusable,
        clean=named.clean,
    )
    if config.file is not None:
        return load_rows(config, file_rows(Path(config.file).expanduser()), reading)
    split = config.split or named.splits[0]
    if split not in named.splits:
        raise UserError(f"{config.name} has no split {split!r}: one of {', '.join(named.splits)}")
    return load_rows(config, hub_rows(named.hub, config.subset or named.subset, split), reading)


SOURCE = ProblemSource(
    description=f"a data set by name ({', '.join(entry.name for entry in NAMED_SETS)})",
    accepts=lambda name: find_named_set(name) is not None,
    load=load_named_set,
)
