"""Every shared record, and trees: equal after JSON and pickle round trips."""

from __future__ import annotations

import inspect
import pickle
from dataclasses import is_dataclass, replace

import pytest
from pydantic import ValidationError

from search import data, serialization
from search.data import (
    Candidate,
    Cost,
    Finish,
    LabelledSolution,
    LabelScale,
    ModelRef,
    Outcome,
    PreferencePair,
    Problem,
    Proposal,
    Request,
    Sampling,
    Scores,
    State,
    Step,
    StepLabels,
    StepStatus,
    Trajectory,
    Until,
)
from search.tree import Node, Tree

PROBLEM = Problem(id="p-1", question='Half of "seven"?\n\\frac{7}{2} ☃ <b>', answer="7/2", source="test", level=3)
OPEN = Step("# a\nx = 1<end_of_step>", code="# a\nx = 1", output="1\n", outcome=Outcome.OK)
FINAL = Step("\\boxed{3.5}", status=StepStatus.FINAL, answer="3.5")
BROKEN = Step("x = ", code="x = ", output="SyntaxError", status=StepStatus.CODE_ERROR, outcome=Outcome.SYNTAX_ERROR)


def grown() -> Tree:
    tree = Tree(
        PROBLEM,
        strategy="mcts",
        seed=2**63 - 1,
        answer="3.5",
        cost=Cost(
            generated_tokens=1,
            prompt_tokens=2,
            cached_tokens=3,
            scored_tokens=4,
            requests=5,
            executions=6,
            seconds=7.25,
        ),
        models={"policy": "m/1"},
        failures={"timeout": 2},
    )
    step = tree.add(0, OPEN, visits=3, value_sum=-0.1, logit=0.30000000000000004, draws=1, version=2)
    tree.add(step, FINAL, visits=2, value_sum=1.0, correct=True, multiplicity=4)
    tree.add(step, BROKEN, visits=1, value_sum=-1.0, correct=False, action="A4", replaces_parent=True)
    return tree


EXAMPLES = [
    PROBLEM, PROBLEM.without_answer(), OPEN, FINAL, BROKEN,
    State(PROBLEM, (OPEN, FINAL)),
    State(replace(PROBLEM, request=Request("Judge.", attempt=(OPEN, FINAL), is_judgement=True)), (OPEN,)),
    Request("Go on.", attempt=(BROKEN,), steps_before=2, asks_for_step=True),
    Sampling(0.7, 0.9, 5, 64, Until.PAUSE),
    Candidate("text", (1, 2, 3), Finish.LENGTH),
    Proposal((Candidate("a", (1,), Finish.STOP), Candidate("", (), Finish.END)), 10, 4, 2),
    Scores((0.1, -1e-300, 1e300), 3, 2, 1),
    Cost(generated_tokens=1, prompt_tokens=2, cached_tokens=3, scored_tokens=4, requests=5, executions=6, seconds=0.1),
    ModelRef("policy", "models/r1", 1, 4),
    Trajectory(PROBLEM, (OPEN, FINAL), correct=True, q=0.5, values=(0.25, 0.75)),
    PreferencePair(problem=PROBLEM, prefix=(OPEN,), chosen=(FINAL,), rejected=(BROKEN,), chosen_q=0.9, rejected_q=-1.0),
    StepLabels(PROBLEM, (OPEN, FINAL), labels=(1.0, 0.0)),
    StepLabels(PROBLEM, (OPEN,), labels=(-0.25,), scale=LabelScale.VALUE),
    StepLabels(PROBLEM, (OPEN, FINAL), labels=(None, -1.0)),
    LabelledSolution(
        StepLabels(PROBLEM, (OPEN,), labels=(0.125,), scale=LabelScale.SHARE),
        8,
        Cost(generated_tokens=80, prompt_tokens=20, requests=1),
    ),
    Node(-1, None, 0, children=[1, 2], logit=None), grown(), Tree(PROBLEM),
]  # fmt: skip


def test_every_shared_record_has_an_example() -> None:
    defined = {
        cls
        for _, cls in inspect.getmembers(data, inspect.isclass)
        if is_dataclass(cls) and cls.__module__ == data.__name__
    }
    assert defined <= {type(example) for example in EXAMPLES}


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: type(example).__name__)
def test_record_is_equal_after_json_round_trip(example: object) -> None:
    line = serialization.dump(example)
    assert "\n" not in line
    back = serialization.load(type(example), line)
    assert back == example
    assert type(back) is type(example)
    assert serialization.dump(back) == line


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: type(example).__name__)
def test_record_is_equal_after_pickle_round_trip(example: object) -> None:
    assert pickle.loads(pickle.dumps(example)) == example


def test_enum_is_an_enum_after_round_trip() -> None:
    back = serialization.load(Step, serialization.dump(BROKEN))
    assert back.status is StepStatus.CODE_ERROR
    assert back.outcome is Outcome.SYNTAX_ERROR


@pytest.mark.parametrize(
    ("line", "field"),
    [
        ('{"id":"p","question":"q","answer":"a"}', "source"),
        ('{"id":"p","question":"q","answer":"a","source":"s","level":"deep"}', "level"),
        ("not json", "Invalid JSON"),
    ],
)
def test_error_names_the_field_of_a_bad_line(line: str, field: str) -> None:
    with pytest.raises(ValidationError, match=field):
        serialization.load(Problem, line)


@pytest.mark.parametrize(
    ("labels", "scale", "message"),
    [
        ("[1,1,1]", "sign", "3 labels for 2 steps"),
        ("[0.5]", "sign", "label 0.5 is not on the scale 'sign'"),
        ("[-0.5]", "share", "label -0.5 is not on the scale 'share'"),
        ("[1,-1.5]", "value", "label -1.5 is not on the scale 'value'"),
    ],
)
def test_step_labels_are_refused_when_impossible(labels: str, scale: str, message: str) -> None:
    line = serialization.dump(StepLabels(PROBLEM, (OPEN, FINAL)))
    broken = line.replace('"labels":[]', f'"labels":{labels}').replace('"scale":"sign"', f'"scale":"{scale}"')
    with pytest.raises(ValidationError, match=message):
        serialization.load(StepLabels, broken)
