"""A policy behind a server: what is sent for a state, and what becomes of the response."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from actors.endpoints.capabilities import Capabilities, Endpoint
from actors.endpoints.config import EndpointConfig
from actors.endpoints.formats import SERVERS_TEMPLATE
from actors.endpoints.policy import UNKNOWN_TOKEN, Encode, EndpointPolicy, share_out
from actors.errors import EndpointRefused
from search.concurrency import gather_or_cancel
from search.concurrency.tracing import recording
from search.data import Candidate, Finish, Problem, Request, Sampling, State, Step, Until
from search.formats.base import StepFormat
from search.formats.chat_format import ChatFormat
from search.formats.plain_format import PlainFormat
from tests.fakes.openai_server import Body, Failure, ScriptedServer, serving
from tests.fakes.span_outline import Outline

PROBLEM = Problem(id="p1", question="What is 2 + 3?", answer="5", source="t")
STATE = State(PROBLEM, (Step("First, 2 + 3 is 5.\n\n"),))
SAMPLING = Sampling(temperature=0.7, max_tokens=9)
CHAT = ChatFormat(SERVERS_TEMPLATE, system="Think.")


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with serving(ScriptedServer()) as script:
        yield script


@asynccontextmanager
async def policy(
    server: ScriptedServer, form: StepFormat, encode: Encode | None = None, max_inflight: int = 8, **capabilities: Any
) -> AsyncIterator[EndpointPolicy]:
    config = EndpointConfig(url=server.url, model="m", backoff_s=0.01, max_inflight=max_inflight, extra={"user": "me"})
    endpoint = Endpoint(config=config, capabilities=Capabilities(**{"names_stop": True, **capabilities}))
    subject = EndpointPolicy(endpoint, form, encode=encode)
    yield subject
    await subject.client.close()


def steps(*texts: str) -> Any:
    return lambda body: list(texts[: body["n"]])


async def test_completion_sends_the_rendered_prompt_and_cuts_at_stops(server: ScriptedServer) -> None:
    server.write = steps("So it is 5.\n\nAnd more", "It is \\boxed{5}.")
    async with policy(server, PlainFormat(), api="completions") as subject:
        proposal = await subject.propose(STATE, 2, SAMPLING, seed=2**40 + 7)
    path, body = server.requests[0]
    assert path == "/v1/completions"
    assert body["prompt"] == "".join(segment.text for segment in PlainFormat().segments(STATE))
    assert body["stop"] == list(PlainFormat().stops(STATE, Until.STEP))
    assert {name: body[name] for name in ("model", "n", "max_tokens", "temperature", "seed", "user")} == {
        "model": "m", "n": 2, "max_tokens": 9, "temperature": 0.7, "seed": 7, "user": "me"
    }  # fmt: skip
    assert "top_p" not in body and "top_k" not in body
    texts = [(candidate.text, candidate.finish) for candidate in proposal.candidates]
    assert texts == [("So it is 5.\n\n", Finish.STOP), ("It is \\boxed{5}.", Finish.END)]


async def test_tokens_of_a_response_are_counted(server: ScriptedServer) -> None:
    server.write = steps("a b c d e f", "a b")
    async with policy(server, PlainFormat(), api="completions") as subject:
        proposal = await subject.propose(STATE, 2, SAMPLING, seed=1)
        stats, counts = subject.stats, dict(subject.counts)
    assert [len(candidate.token_ids) for candidate in proposal.candidates] == [6, 2]
    assert set(proposal.candidates[0].token_ids) == {UNKNOWN_TOKEN}
    prompt = len(server.requests[0][1]["prompt"].split())
    assert (proposal.generated_tokens, proposal.prompt_tokens, proposal.cached_tokens) == (8, prompt, prompt // 2)
    assert (stats.responses, stats.outputs, stats.prompt_tokens, stats.cached_tokens) == (1, 8, prompt, prompt // 2)
    assert counts == {"requests": 1, "prompt_tokens": prompt, "generated_tokens": 8}


async def test_prompt_is_sent_as_ids_where_the_tokenizer_is_here(server: ScriptedServer) -> None:
    async with policy(server, PlainFormat(), encode=lambda pieces: [len(pieces), 7], api="completions") as subject:
        await subject.propose(STATE, 1, SAMPLING, seed=1)
    assert server.requests[0][1]["prompt"] == [2, 7]


async def test_chat_continues_the_last_message(server: ScriptedServer) -> None:
    server.write = steps("Then \\boxed{5}.")
    async with policy(server, CHAT, api="continue") as subject:
        await subject.propose(STATE, 1, SAMPLING, seed=1)
        await subject.propose(State(PROBLEM), 1, SAMPLING, seed=1)
    path, body = server.requests[0]
    assert path == "/v1/chat/completions"
    assert body["messages"] == [
        {"role": "system", "content": "Think."},
        {"role": "user", "content": "What is 2 + 3?"},
        {"role": "assistant", "content": "First, 2 + 3 is 5.\n\n"},
    ]
    assert (body["continue_final_message"], body["add_generation_prompt"]) == (True, False)
    first = server.requests[1][1]
    assert [message["role"] for message in first["messages"]] == ["system", "user"]
    assert "continue_final_message" not in first


async def test_request_to_the_model_is_a_turn_of_its_own(server: ScriptedServer) -> None:
    state = State(PROBLEM, STATE.steps, Request("Check this.", steps_before=1))
    async with policy(server, CHAT, api="continue") as subject:
        await subject.propose(state, 1, SAMPLING, seed=1)
    assert server.requests[0][1]["messages"][2:] == [
        {"role": "assistant", "content": "First, 2 + 3 is 5."},
        {"role": "user", "content": "Check this."},
    ]


async def test_blank_line_that_the_model_repeats_ends_no_step(server: ScriptedServer) -> None:
    server.write = steps("\n\nThen 5 is it.\n\nAnd")
    async with policy(server, CHAT, api="continue", keeps_space=False) as subject:
        proposal = await subject.propose(STATE, 1, SAMPLING, seed=1)
    assert "stop" not in server.requests[0][1]
    assert (proposal.candidates[0].text, proposal.candidates[0].finish) == ("Then 5 is it.\n\n", Finish.STOP)


async def test_text_is_cut_here_where_the_server_names_no_stop(server: ScriptedServer) -> None:
    server.names_stop = False
    server.write = steps("One.\n\nTwo.\n\nThree.", "Over.", "a b c d e f g h i j")
    async with policy(server, CHAT, api="continue", names_stop=False) as subject:
        proposal = await subject.propose(STATE, 3, SAMPLING, seed=1)
    assert "stop" not in server.requests[0][1] and "skip_special_tokens" not in server.requests[0][1]
    assert [(candidate.text, candidate.finish) for candidate in proposal.candidates] == [
        ("One.\n\n", Finish.STOP),
        ("Over.", Finish.END),
        ("a b c d e f g h i", Finish.LENGTH),
    ]


async def test_plain_chat_refuses_to_continue(server: ScriptedServer) -> None:
    async with policy(server, CHAT, api="chat", limit_field="max_completion_tokens") as subject:
        await subject.propose(State(PROBLEM), 2, SAMPLING, seed=1)
        with pytest.raises(EndpointRefused, match="does not continue a solution"):
            await subject.propose(STATE, 1, SAMPLING, seed=1)
    body = server.requests[0][1]
    assert body["max_completion_tokens"] == 9 and "max_tokens" not in body
    assert len(server.requests) == 1


async def test_full_context_is_an_empty_candidate(server: ScriptedServer) -> None:
    server.failures.append(Failure(400, "maximum context length is 4096 tokens"))
    async with policy(server, CHAT, api="continue") as subject:
        proposal = await subject.propose(STATE, 4, SAMPLING, seed=1)
        assert subject.counts["too_long"] == 1
    assert proposal.candidates == (Candidate("", (), Finish.LENGTH),)


async def test_no_more_sequences_are_in_flight_than_allowed(server: ScriptedServer) -> None:
    seen: list[int] = []

    def write(body: Body) -> list[str]:
        seen.append(subject.inflight)
        return ["ok"] * body["n"]

    server.write, server.delay_s = write, 0.02
    async with policy(server, CHAT, api="continue", max_inflight=4) as subject:
        await gather_or_cancel(subject.propose(State(PROBLEM), n, SAMPLING, seed=n) for n in (2, 2, 2, 9, 1))
        assert (subject.inflight, subject.waiting) == (0, 0)
    assert len(seen) == 5 and max(seen) == 9
    assert all(count <= 4 or count == 9 for count in seen)


def test_tokens_are_shared_out_in_proportion() -> None:
    assert share_out(10, [30, 12]) == [7, 3]
    assert share_out(7, [0, 0, 0]) == [2, 3, 2]
    assert sum(share_out(101, [3, 5, 7, 11])) == 101


async def test_spans_name_the_server(server: ScriptedServer) -> None:
    server.write = steps("So it is 5.")
    outline = Outline()
    async with policy(server, PlainFormat(), api="completions") as subject:
        with recording(outline):
            await subject.propose(STATE, 1, SAMPLING, seed=1)
        reference = subject.config.reference
    assert outline.lines == [
        "queue role=policy sequences=1",
        f"generate role=policy sequences=1 engine={reference} request=p1/1/1",
    ]
