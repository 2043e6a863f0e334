"""A judge behind a server: marks in its judgements become log-odds."""

from __future__ import annotations

import math

import pytest

from actors.endpoints.capabilities import Capabilities, Endpoint
from actors.endpoints.config import EndpointConfig
from actors.endpoints.judge import EndpointJudge
from search.data import Problem, State, Step
from search.formats.plain_format import PlainFormat
from search.reward_models.config import JudgeConfig
from search.reward_models.judge import endpoint_judge
from tests.fakes.openai_server import Body, ScriptedServer, serving

PROBLEM = Problem(id="p1", question="What is 2 + 3?", answer="5", source="t")
RIGHT, WRONG = (State(PROBLEM, (Step(f"2 + 3 is {number}.\n\n"),)) for number in (5, 6))


def write(body: Body) -> list[str]:
    """Mark what says 5 with 9 and 7 of 10, everything else with 0 and a judgement without a mark."""
    is_right = "is 5." in body["messages"][0]["content"]
    return ["Fine. Score: 9", "Score: 7"] if is_right else ["Score: 0", "I cannot say."]


async def test_judge_scores_each_state_by_its_marks() -> None:
    """Marks 0.9 and 0.7 with one of a half: (1.6 + 0.5) / 3 = 0.7; one mark 0: (0 + 0.5) / 2 = 0.25."""
    with serving(ScriptedServer(write=write)) as script:
        config = EndpointConfig(url=script.url, model="m")
        endpoint = Endpoint(config=config, capabilities=Capabilities(api="chat"))
        judge = EndpointJudge(endpoint, endpoint_judge(PlainFormat(), JudgeConfig(samples=2, max_tokens=50)))
        scores = await judge.score([RIGHT, WRONG])
        assert (await judge.score([])).logits == ()
        await judge.client.close()
    assert scores.logits == pytest.approx([math.log(0.7 / 0.3), math.log(0.25 / 0.75)])
    assert judge.counts["without_mark"] == 1
    assert judge.stats.outputs == 2
    body = script.requests[0][1]
    assert (body["n"], body["max_tokens"], body["temperature"]) == (2, 50, 0.7)
    assert [message["role"] for message in body["messages"]] == ["user"]
    assert any("Step 1: 2 + 3 is 5." in body["messages"][0]["content"] for _, body in script.requests)  # in any order
    assert len(script.requests) == 2
