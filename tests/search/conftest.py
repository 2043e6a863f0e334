"""Fixtures: services for a problem in code, with a grader, with a reward model, and with answers in random order."""

from __future__ import annotations

import random

import pytest

from search.data import Problem
from search.protocols import SearchServices
from tests.fakes.policy import ScriptedPolicy
from tests.fakes.scripts import END_OF_CODE, END_OF_STEP, CodeTable
from tests.fakes.services import code_services
from tests.fakes.words import PROBLEM


def step(code: str) -> str:
    return f"{code}{END_OF_STEP}"


def last(code: str) -> str:
    return f"{code}{END_OF_CODE}"


# a = 3 leads to 7 (correct) and 12 (incorrect); a = 4 leads to 1 (incorrect) and to code that fails; raise never runs
TABLE = {
    (): [step("a = 3"), step("a = 4"), step("raise")],
    ("a = 3",): [last("print(7)"), last("print(12)"), last("print(7)")],
    ("a = 4",): [last("print(1)"), last("raise print(2)"), last("print(1)")],
}
LOGITS = {"a = 3": 0.2, "a = 4": 0.8, "print(7)": 2.0, "print(12)": -1.0, "print(1)": -2.0}


@pytest.fixture
def problem() -> Problem:
    return PROBLEM


@pytest.fixture
def policy() -> ScriptedPolicy:
    return ScriptedPolicy(CodeTable(TABLE))


@pytest.fixture
def services(policy: ScriptedPolicy) -> SearchServices:
    return code_services(policy, graded=True)


@pytest.fixture
def blind_services(policy: ScriptedPolicy) -> SearchServices:
    return code_services(policy, LOGITS)


@pytest.fixture
def shuffled_services() -> SearchServices:
    """The same script, answered after random waits."""
    return code_services(ScriptedPolicy(CodeTable(TABLE), random.Random(5)), graded=True)
