"""Independent samples: merged when equal, executed at the pause, scored at the end."""

from __future__ import annotations

import math

from search.config import SearchConfig
from search.protocols import Tools
from search.samples import Samples
from search.types import Problem, StepStatus

WHOLE = [
    "a = 3<end_of_step>print(7)<end_of_code>",
    "a = 3<end_of_step>print(7)<end_of_code>",
    "a = 4<end_of_step>raise<end_of_code>",
    "a = 3<end_of_step>b = 2",
]


async def test_samples_by_hand(problem: Problem, blind_tools: Tools) -> None:
    blind_tools.policy.table = {(): WHOLE}  # type: ignore[attr-defined]
    tree = await Samples(SearchConfig(strategy="samples", candidates=4)).search(problem.blind(), blind_tools, 1)
    leaves = [node for node in tree.nodes[1:] if not node.children]
    assert [(n.step.answer, n.step.status, n.multiplicity) for n in leaves if n.step] == [
        ("7", StepStatus.FINAL, 2),
        (None, StepStatus.CODE_ERROR, 1),
        (None, StepStatus.NO_ANSWER, 1),
    ]
    assert leaves[0].score == math.tanh(0.0)
    assert tree.failures == {"exception": 1, "no_answer": 1}
    assert tree.cost.executions == 2
    assert tree.cost.requests == 3  # one for all samples, one for an answer, one to the scorer
