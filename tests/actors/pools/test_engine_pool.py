"""Retries, deadlines and routing of the pools, over scripted handles: no Ray, no vLLM."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from ray.exceptions import ActorUnavailableError

from actors.config import EngineConfig
from actors.errors import BadScore, EngineGaveUp, PromptTooLong, RequestFailed, WrongModel
from actors.pools.engine_pool import PolicyPool, RewardModelPool
from actors.rpc.server import RpcServer
from search.data import Candidate, Finish, ModelRef, Problem, Proposal, Sampling, Scores, State, Step, StepStatus
from search.formats.registry import END_OF_CODE, END_OF_STEP, CodeFormat

CONFIG = EngineConfig(
    backoff_s=0.001, max_num_seqs=4, queue=0, request_deadline_s=2, start_deadline_s=30, max_attempts=3
)
STATE = State(Problem("p1", "What is 1 + 1?", "2", "test"))


DEATH = ConnectionError("this engine ends")


class Method:
    """``handle.method.remote(...)`` that runs a coroutine."""

    def __init__(self, answer: Callable[..., Any]) -> None:
        self.answer = answer

    async def remote(self, *arguments: Any) -> Any:
        return await self.answer(*arguments)


class Handle(RpcServer):
    """An engine that follows a script: DEATH ends its connections, other exceptions are raised, numbers are seconds of
    silence, then it answers."""

    def __init__(self, *script: Exception | float, healthy: bool = True) -> None:
        super().__init__()
        self.script = list(script)
        self.healthy = healthy
        self.asked: list[tuple[Any, ...]] = []
        self.receive = Method(super().receive)  # type: ignore[assignment]
        self.health, self.load = Method(self._health), Method(self._load)
        self.loaded: list[Any] = []

    async def _act(self, arguments: tuple[Any, ...]) -> None:
        self.asked.append(arguments)
        if self.script:
            act = self.script.pop(0)
            if act is DEATH:
                for caller in list(self._boxes):
                    caller.close()
                await asyncio.sleep(3600)
            if isinstance(act, Exception):
                raise act
            await asyncio.sleep(act)

    async def propose(self, *arguments: Any) -> Proposal:
        await self._act(arguments)
        return Proposal((Candidate(f"x = 1{END_OF_STEP}", (1, 2), Finish.STOP),), 5, 0, 7)

    async def score(self, states: Any, key: str, model: Any) -> Scores:
        await self._act((states, key, model))
        return Scores(tuple(float(len(state)) for state in states))

    async def _health(self) -> str:
        if not self.healthy:
            raise ActorUnavailableError("restarting", b"0" * 16)
        return "healthy"

    async def _load(self, model: Any) -> str:
        self.loaded.append(model)
        return "loaded"


def policy(*handles: Handle, config: EngineConfig = CONFIG, model: ModelRef | None = None) -> PolicyPool:
    return PolicyPool(handles, CodeFormat(), config, model)  # type: ignore[arg-type]


async def test_renders_segments_and_stops() -> None:
    handle = Handle()
    state = STATE.then(Step(f"# Step 1: a{END_OF_STEP}"))
    await policy(handle).propose(state, 3, Sampling(max_tokens=9), 42)
    segments, stops, n, sampling, seed, key, model = handle.asked[0]
    assert segments == tuple(segment.text for segment in CodeFormat().segments(state))
    assert stops == CodeFormat().stops(state, sampling.until)
    assert (n, sampling.max_tokens, seed, key, model) == (3, 9, 42, "p1/1/2a", None)


@pytest.mark.parametrize("failure", [DEATH, RequestFailed("dropped"), 5.0])
async def test_a_failed_request_is_sent_again_as_it_was(failure: Exception | float) -> None:
    handle = Handle(failure)
    pool = policy(handle)
    proposal = await pool.propose(STATE, 2, Sampling(), 99)
    assert proposal.version == 7
    assert len(handle.asked) == 2
    assert handle.asked[0] == handle.asked[1]
    assert pool.counts["retries"] == 1


async def test_a_dead_engine_is_left_alone_until_its_health_answers() -> None:
    dead, alive = Handle(DEATH, healthy=False), Handle()
    pool = policy(dead, alive)
    states = [State(Problem(f"p{i}", "?", "1", "test")) for i in range(40)]
    await asyncio.gather(*(pool.propose(state, 1, Sampling(), 1) for state in states))
    assert len(alive.asked) >= 36  # at most the four requests in flight met the death
    before = len(dead.asked)
    await asyncio.gather(*(pool.propose(state, 1, Sampling(), 2) for state in states))
    assert len(dead.asked) == before
    dead.healthy = True
    await asyncio.sleep(0.05)
    await asyncio.gather(*(pool.propose(state, 1, Sampling(), 3) for state in states))
    assert len(dead.asked) > before
    assert pool.counts["came_back"] == 1


async def test_an_engine_that_came_back_on_another_model_takes_in_the_right_one() -> None:
    model = ModelRef("policy", "/models/r2", 2, 2)
    handle = Handle(WrongModel("serves /models/base"))
    pool = policy(handle, model=model)
    assert (await pool.propose(STATE, 1, Sampling(), 1)).version == 7
    assert handle.loaded == [model]
    assert [asked[-1] for asked in handle.asked] == [model, model]
    assert pool.counts == {"requests": 2, "retries": 1, "wrong_model": 1, "came_back": 1}


async def test_gives_up_by_name() -> None:
    pool = policy(Handle(*[RequestFailed("the pump is broken")] * 3))
    with pytest.raises(EngineGaveUp, match=r"policy request p1/0/5 failed 3 times; last: the pump is broken"):
        await pool.propose(STATE, 1, Sampling(), 5)


async def test_waiting_for_engines_that_never_come_back_ends() -> None:
    hasty = CONFIG.model_copy(update={"start_deadline_s": 0.3})
    pool = policy(Handle(DEATH, healthy=False), Handle(DEATH, healthy=False), config=hasty)
    with pytest.raises(EngineGaveUp, match=r"none of policy-0, policy-1 came back in 0.3 s"):
        await pool.propose(STATE, 1, Sampling(), 5)


async def test_a_prompt_too_long_is_one_empty_candidate() -> None:
    handle = Handle(PromptTooLong("3000 tokens"))
    pool = policy(handle)
    proposal = await pool.propose(STATE, 4, Sampling(), 5)
    assert proposal.candidates == (Candidate("", (), Finish.LENGTH),)
    assert proposal.generated_tokens == 0
    assert (pool.counts["too_long"], len(handle.asked)) == (1, 1)


class Busy(Handle):
    """An engine that takes a while; ``held`` is how many sequences it had in hand as each request came."""

    def __init__(self) -> None:
        super().__init__()
        self.running = 0
        self.held: list[int] = []
        self.changed = asyncio.Condition()

    async def holding(self, sequences: int) -> None:
        async with self.changed:
            await self.changed.wait_for(lambda: self.running >= sequences)

    async def _act(self, arguments: tuple[Any, ...]) -> None:
        n = arguments[2]
        self.running += n
        self.held.append(self.running)
        async with self.changed:
            self.changed.notify_all()
        await asyncio.sleep(0.02)
        self.running -= n


@pytest.mark.parametrize(("n", "queue", "holds"), [(1, 0.0, 4), (2, 0.0, 4), (4, 1.0, 8), (3, 0.0, 3), (9, 0.0, 9)])
async def test_an_engine_is_given_the_sequences_that_it_holds(n: int, queue: float, holds: int) -> None:
    handle = Busy()
    pool = policy(handle, config=CONFIG.model_copy(update={"queue": queue}))
    await asyncio.gather(*(pool.propose(STATE, n, Sampling(), seed) for seed in range(12)))
    assert len(handle.held) == 12
    assert max(handle.held) == holds


async def test_a_greedy_request_is_one_sequence() -> None:
    handle = Busy()
    pool = policy(handle)
    await asyncio.gather(*(pool.propose(STATE, 4, Sampling(temperature=0.0), seed) for seed in range(12)))
    assert max(handle.held) == 4 * 4  # four requests at once, each asks for four


async def test_callers_share_what_an_engine_holds() -> None:
    handle, config = Busy(), CONFIG.model_copy(update={"max_num_seqs": 12})
    early, late = (policy(handle, config=config) for _ in range(2))
    alone = [asyncio.create_task(early.propose(STATE, 1, Sampling(), seed)) for seed in range(120)]
    await handle.holding(12)
    met = len(handle.held)
    await asyncio.gather(*(late.propose(STATE, 1, Sampling(), seed) for seed in range(60)))
    both = handle.held[met:]
    assert max(both) <= 24  # the late one came before it had heard of the early one
    assert sorted(both)[len(both) // 2] <= 18  # what each has heard of the other is a little old; 24 without sharing
    assert sum(task.done() for task in alone) >= 30  # the early one was not pushed out; half of the work would be 60
    await asyncio.gather(*alone)


async def test_what_others_leave_is_taken() -> None:
    handle, config = Busy(), CONFIG.model_copy(update={"max_num_seqs": 8})
    short, long = (policy(handle, config=config) for _ in range(2))
    await asyncio.gather(
        *(short.propose(STATE, 1, Sampling(), seed) for seed in range(8)),
        *(long.propose(STATE, 1, Sampling(), seed) for seed in range(80)),
    )
    assert max(handle.held[-40:]) == 8


async def test_a_cancelled_request_frees_its_place() -> None:
    pool = policy(Handle(10.0), config=CONFIG.model_copy(update={"max_num_seqs": 1, "request_deadline_s": 30.0}))
    stuck = asyncio.create_task(pool.propose(STATE, 1, Sampling(), 1))
    await asyncio.sleep(0.01)
    stuck.cancel()
    with pytest.raises(asyncio.CancelledError):
        await stuck
    assert (await asyncio.wait_for(pool.propose(STATE, 1, Sampling(), 2), 1)).version == 7


async def test_siblings_are_scored_in_one_request() -> None:
    handle = Handle()
    pool = RewardModelPool([handle], CodeFormat(), CONFIG)  # type: ignore[list-item]
    states = [STATE, STATE.then(Step(f"a{END_OF_STEP}")), STATE.then(Step("a"), Step("b"))]
    assert (await pool.score(states)).logits == (1.0, 2.0, 3.0)
    assert len(handle.asked) == 1
    assert (await pool.score([])).logits == ()
    assert len(handle.asked) == 1


async def test_a_judge_by_likelihood_is_told_what_the_policy_wrote(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"id2label": {"0": "likelihood"}}')
    handle = Pieces()
    pool = RewardModelPool([handle], CodeFormat(), CONFIG, ModelRef("reward_model", str(tmp_path), 1, 7))  # type: ignore[list-item]
    printed = STATE.then(Step(f"print(7){END_OF_CODE}", output="7"))
    await pool.score([printed, printed.then(Step("<answer>7", answer="7", status=StepStatus.FINAL))])
    (open_, unfinished), (done, finished) = handle.states
    assert (unfinished, finished) == (False, True)
    assert [own for _, own in open_] == [False, True, False]  # question, program, what it printed
    assert [own for _, own in done] == [False, True, False, True]


class Pieces(Handle):
    """Keeps the states that it was to judge by likelihood."""

    states: Sequence[tuple[Sequence[tuple[str, bool]], bool]] = ()

    async def likelihood(self, states: Any, key: str, model: ModelRef | None = None) -> Scores:
        self.states = states
        return Scores((0.0,) * len(states))


async def test_a_broken_score_is_not_tried_again() -> None:
    handle = Handle(BadScore("nan"))
    with pytest.raises(BadScore):
        await RewardModelPool([handle], CodeFormat(), CONFIG).score([STATE])  # type: ignore[list-item]
    assert len(handle.asked) == 1
