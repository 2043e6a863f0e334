"""Fixtures: a tiny Qwen2 with random weights, a small BPE tokenizer, and records to train on. Downloads nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from search import serialization
from search.data import LabelScale, Outcome, PreferencePair, Problem, Step, StepLabels, StepStatus, Trajectory
from tests.fakes.tiny_model import make_policy, make_tokenizer


def _trajectory(number: int) -> Trajectory:
    terms = [number % 7 + 2, number % 5 + 1, number % 3 + 4][: 2 + number % 2]
    problem = Problem(
        id=f"p{number}", question=f"What is {' + '.join(map(str, terms))}?", answer=str(sum(terms)), source="made up"
    )
    steps = [
        Step(f"\n# Step {i}: take {term}\nx{i} = {term}\n<end_of_step>", code=f"x{i} = {term}", outcome=Outcome.OK)
        for i, term in enumerate(terms)
    ]
    total = " + ".join(f"x{i}" for i in range(len(terms)))
    last = Step(
        f"\n# Now print\nprint({total})\n<end_of_code>",
        code=f"print({total})",
        output=str(sum(terms)),
        outcome=Outcome.OK,
    )
    text = f"\n<answer>It is \\boxed{{{sum(terms)}}}<end_of_answer>"
    answer = Step(text, status=StepStatus.FINAL, answer=str(sum(terms)))
    return Trajectory(problem, (*steps, last, answer), correct=True, q=1.0)


def _pair(trajectory: Trajectory) -> PreferencePair:
    preferred = trajectory.steps[1]
    rejected = Step(preferred.text.replace("=", "= 1 +"), outcome=Outcome.OK)
    return PreferencePair(
        problem=trajectory.problem,
        prefix=trajectory.steps[:1],
        chosen=(preferred,),
        rejected=(rejected,),
        chosen_q=0.5,
        rejected_q=-0.5,
    )


def _incorrect(trajectory: Trajectory) -> Trajectory:
    """Return the solution with its second step, and the answer, one too high."""
    first, _, *rest, last = trajectory.steps
    total = str(int(trajectory.problem.answer) + 1)
    answer = Step(last.text.replace(trajectory.problem.answer, total), status=StepStatus.FINAL, answer=total)
    return Trajectory(trajectory.problem, (first, _pair(trajectory).rejected[0], *rest, answer), correct=False, q=-1.0)


def _solution_pair(number: int) -> PreferencePair:
    correct = _trajectory(number)
    return PreferencePair(
        problem=correct.problem,
        prefix=(),
        chosen=correct.steps,
        rejected=_incorrect(correct).steps,
        chosen_q=1.0,
        rejected_q=-1.0,
    )


def _outcome(number: int) -> Trajectory:
    return _incorrect(_trajectory(number)) if number % 2 else _trajectory(number)


def _sign_labels(number: int) -> StepLabels:
    solution = _outcome(number)
    labels = (1, 0, 1, 1) if solution.correct else (1, -1)
    return StepLabels(solution.problem, solution.steps, labels=labels)


def _value_labels(number: int) -> StepLabels:
    solution = _outcome(number)
    labels = (0.5, 0.75, 1.0, 1.0) if solution.correct else (0.5, -0.75, -1.0, -1.0)
    return StepLabels(solution.problem, solution.steps, labels=labels, scale=LabelScale.VALUE)


RECORDS: dict[str, Callable[[int], object]] = {
    "sft": _trajectory,
    "dpo": _solution_pair,
    "dpo_nll": _solution_pair,
    "ppm": lambda number: _pair(_trajectory(number)),
    "q_regression": _value_labels,
    "prm": _sign_labels,
    "orm": _outcome,
}


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Write a file of 22 records for each objective."""
    directory = tmp_path_factory.mktemp("data")
    files = {objective: directory / f"{objective}.jsonl" for objective in RECORDS}
    for objective, make in RECORDS.items():
        files[objective].write_text("".join(serialization.dump(make(i)) + "\n" for i in range(22)))
    return files


@pytest.fixture(scope="session")
def sft_file(data: dict[str, Path]) -> Path:
    return data["sft"]


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    corpus = ["# Step 1: take 3\nx1 = 3\nWhat is 3 + 4?\nprint(x0 + x1)"] * 3
    tokenizer = make_tokenizer(corpus, eos="<end>", pad="<pad>")
    directory = tmp_path_factory.mktemp("tiny")
    return make_policy(directory, tokenizer=tokenizer, width=32, intermediate=64, heads=2, positions=256)
