"""Real vLLM engines in real Ray actors: generation, scores, and recovery from kills."""

from __future__ import annotations

import asyncio
import math
import os
import shutil
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from actors.config import EngineConfig
from actors.engines import manager
from actors.engines.manager import EngineManager
from actors.engines.policy import PolicyEngine
from actors.errors import EngineStartFailed, StartTimeout
from actors.pools.engine_pool import PolicyPool, RewardModelPool
from cluster.run.models import write_kind
from search.data import Finish, ModelRef, Problem, Sampling, State, Step, StepStatus
from search.formats.base import Source
from search.formats.code_format import CODE_TAGS, END_OF_CODE, END_OF_STEP, CodeFormat
from search.reward_models import RewardAdapter, RewardModelKind, reward_adapter
from search.tokens import read_vocabulary
from search.tokens.drawn_ids import pack_ids
from tests.fakes.tiny_model import make_reward_model

if TYPE_CHECKING:
    from vllm.v1.engine.async_llm import AsyncLLM

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1500)]

CONFIG = EngineConfig(
    max_model_len=512, kv_cache_gib=0.25, num_cpus=0.1, start_deadline_s=600, request_deadline_s=600
)  # of the pools; conftest has the engines'
STATES = [
    State(
        Problem(id=f"p{number}", question=f"How much is {number} and {number}?", answer=str(2 * number), source="test")
    )
    for number in range(20)
]


def adapter_of(model: ModelRef) -> RewardAdapter:
    return reward_adapter(model, CodeFormat())


def test_engines_of_the_same_models_are_reused(
    engine_manager: EngineManager, models: tuple[ModelRef, ModelRef]
) -> None:
    policy, reward_model = models
    before = engine_manager.handles(policy), engine_manager.handles(reward_model)
    engine_manager.start(policy, reward_model)
    assert (engine_manager.handles(policy), engine_manager.handles(reward_model)) == before


async def test_candidates_end_at_the_stops_of_the_format(
    engine_manager: EngineManager, models: tuple[ModelRef, ModelRef]
) -> None:
    pool = PolicyPool(engine_manager.handles(models[0]), CodeFormat(), CONFIG)
    proposals = await asyncio.gather(*(pool.propose(s, 4, Sampling(max_tokens=300), 11) for s in STATES[:10]))
    candidates = [candidate for proposal in proposals for candidate in proposal.candidates]
    assert len(candidates) == 40
    stops = CodeFormat().stops(STATES[0], Sampling().until)
    for candidate in candidates:
        assert candidate.text.endswith(stops) == (candidate.finish is Finish.STOP)
        assert "<eos>" not in candidate.text
        if candidate.finish is Finish.STOP:
            assert sum(candidate.text.count(stop) for stop in stops) == 1
        if candidate.finish is Finish.LENGTH:
            assert len(candidate.token_ids) == 300
    assert {Finish.STOP, Finish.END} <= {candidate.finish for candidate in candidates}
    assert {proposal.version for proposal in proposals} == {3}


async def test_next_prompt_has_the_ids_that_were_drawn(
    engine_manager: EngineManager, models: tuple[ModelRef, ModelRef], words: Any
) -> None:
    pool = PolicyPool(engine_manager.handles(models[0]), CodeFormat(), CONFIG)
    vocabulary = read_vocabulary(Path(models[0].path))
    assert vocabulary is not None
    proposal = await pool.propose(STATES[0], 64, Sampling(max_tokens=3), 3)
    assert {candidate.vocabulary for candidate in proposal.candidates} == {vocabulary.digest}
    cut_off = [candidate for candidate in proposal.candidates if candidate.finish is Finish.LENGTH]
    drawn = [(vocabulary.keep_ids((Step(c.text),), c)[0], len(c.token_ids)) for c in cut_off]
    kept = [(step, tokens) for step, tokens in drawn if step.drawn_ids and not step.text.endswith(">")]
    spelt = words.convert_tokens_to_ids(["a", "b"])  # a tokenizer merges them
    states = [*kept[:4], (Step("ab", drawn_ids=pack_ids(vocabulary.digest, spelt)), 2)]
    assert len(states) == 5
    for step, tokens in states:
        following = await pool.propose(STATES[0].then(step), 1, Sampling(0, max_tokens=1), 1)
        assert following.prompt_tokens == proposal.prompt_tokens + tokens
    encoded = await pool.propose(STATES[0].then(Step("ab")), 1, Sampling(0, max_tokens=1), 1)
    assert encoded.prompt_tokens == proposal.prompt_tokens + 1


async def test_prompts_beyond_one_pass_wait_for_the_next(
    engine_manager: EngineManager, models: tuple[ModelRef, ModelRef]
) -> None:
    pool = PolicyPool(engine_manager.handles(models[0]), CodeFormat(), CONFIG)
    states = [
        State(Problem(id=f"w{i}", question=f"{i} " * 90, answer="1", source="test")) for i in range(10)
    ]  # 188 tokens each, 512 a pass
    proposals = await asyncio.gather(*(pool.propose(state, 4, Sampling(max_tokens=4), 7) for state in states))
    assert [len(proposal.candidates) for proposal in proposals] == [4] * 10
    assert sum(proposal.prompt_tokens for proposal in proposals) > 3 * 512
    assert pool.counts == {"requests": 10}  # no try failed


async def test_stops_that_are_not_tokens_are_searched_in_the_text(
    engine_manager: EngineManager, models: tuple[ModelRef, ModelRef], words: Any
) -> None:
    engine = engine_manager.handles(models[0])[0]
    stops = ("a", "b", END_OF_STEP)
    proposal = await engine.propose.remote(("x",), stops, 8, Sampling(max_tokens=300), 5, "text-stops")
    stopped = [candidate for candidate in proposal.candidates if candidate.finish is Finish.STOP]
    assert len(stopped) >= 6
    for candidate in stopped:
        assert candidate.text.endswith(stops)
        assert not any(stop in candidate.text[: -len(stop)] for stop in ("a", "b"))
        assert words.decode(candidate.token_ids).startswith(candidate.text)


async def test_same_seed_gives_the_same_text(engine_manager: EngineManager, models: tuple[ModelRef, ModelRef]) -> None:
    pool = PolicyPool(engine_manager.handles(models[0]), CodeFormat(), CONFIG)
    sampling = Sampling(max_tokens=30)

    async def texts(seed: int) -> list[str]:
        return [c.text for c in (await pool.propose(STATES[0], 4, sampling, seed)).candidates]

    max_seed = 2**63 - 1
    assert await texts(max_seed) == await texts(max_seed)
    assert await texts(1) != await texts(10)
    assert len(set(await texts(1))) == 4


async def test_greedy_request_has_one_candidate(
    engine_manager: EngineManager, models: tuple[ModelRef, ModelRef]
) -> None:
    pool = PolicyPool(engine_manager.handles(models[0]), CodeFormat(), CONFIG)
    proposal = await pool.propose(STATES[0], 4, Sampling(temperature=0, max_tokens=8), 1)
    assert len(proposal.candidates) == 1


async def test_state_that_fills_the_context_is_cut_off(
    engine_manager: EngineManager, models: tuple[ModelRef, ModelRef]
) -> None:
    policy = PolicyPool(engine_manager.handles(models[0]), CodeFormat(), CONFIG)
    reward_model = RewardModelPool(engine_manager.handles(models[1]), adapter_of(models[1]), CONFIG)
    long = State(Problem(id="long", question="q" * 600, answer="1", source="test"))
    proposal = await policy.propose(long, 4, Sampling(max_tokens=8), 1)
    assert [candidate.text for candidate in proposal.candidates] == [""]
    assert policy.counts["too_long"] == 1
    scores = await reward_model.score([STATES[0], long])
    assert scores.logits[1] == -100.0
    assert scores.logits[0] > -50


@pytest.mark.parametrize("reloaded", [False, True])
async def test_scores_equal_those_of_transformers(
    engine_manager: EngineManager,
    models: tuple[ModelRef, ModelRef],
    others: tuple[ModelRef, ModelRef],
    words: Any,
    reloaded: bool,
) -> None:
    import torch
    from transformers import AutoModelForSequenceClassification

    states = [state.then(Step(f"# Step 1: half of abcd{END_OF_STEP}")) for state in STATES]
    states += [state.then(Step(f"x = 1{END_OF_STEP}"), Step(f"print(x){END_OF_CODE}", output="1")) for state in STATES]
    if reloaded:
        engine_manager.start(others[1])
    model = others[1] if reloaded else models[1]
    pool = RewardModelPool(engine_manager.handles(model), adapter_of(model), CONFIG, model)
    batches = await asyncio.gather(*(pool.score(states[i : i + 4]) for i in range(0, len(states), 4)))
    served = [logit for batch in batches for logit in batch.logits]
    reference = AutoModelForSequenceClassification.from_pretrained(model.path, dtype=torch.float32).eval()
    for state, logit in zip(states, served, strict=True):
        ids = [i for s in CodeFormat().segments(state) for i in words.encode(s.text, add_special_tokens=False)]
        with torch.no_grad():
            expected = float(reference(torch.tensor([ids])).logits[0, 0])
        assert math.isclose(logit, expected, abs_tol=1e-3)
    assert max(served) - min(served) > 0.1  # the test says something only if logits differ
    assert {batch.version for batch in batches} == {model.version}


@pytest.mark.thorough
async def test_prm_logits_become_log_odds_of_the_step_score(
    engine_manager: EngineManager, tmp_path: Path, words: Any
) -> None:
    import torch
    from transformers import AutoModelForSequenceClassification

    model = ModelRef("reward_model", str(make_reward_model(tmp_path / "prm", seed=4, labels=3)), 3, 7, "prm")
    states = [state.then(Step(f"# Step 1: half of abcd{END_OF_STEP}")) for state in STATES]
    served = (
        await RewardModelPool(engine_manager.handles(model), adapter_of(model), CONFIG, model).score(states)
    ).logits
    reference = AutoModelForSequenceClassification.from_pretrained(model.path, dtype=torch.float32).eval()
    for state, logit in zip(states, served, strict=True):
        ids = [i for s in CodeFormat().segments(state) for i in words.encode(s.text, add_special_tokens=False)]
        with torch.no_grad():
            correct, neutral, _ = torch.softmax(reference(torch.tensor([ids])).logits[0], -1).tolist()
        assert 1 / (1 + math.exp(-logit)) == pytest.approx(correct + neutral, abs=1e-3)


@pytest.mark.thorough
async def test_log_likelihoods_equal_those_of_transformers(
    engine_manager: EngineManager, models: tuple[ModelRef, ModelRef], tmp_path: Path, words: Any
) -> None:
    import torch
    from transformers import AutoModelForCausalLM

    likelihood_model = Path(shutil.copytree(models[0].path, tmp_path / "likelihood_model"))
    write_kind(likelihood_model, RewardModelKind.DPO)
    model, form = ModelRef("reward_model", str(likelihood_model), 3, 7), CodeFormat()
    executed = [state.then(Step(f"print(2){END_OF_CODE}", output="2")) for state in STATES]
    states = [*executed, *(state.then(Step("<answer>2", answer="2", status=StepStatus.FINAL)) for state in executed)]
    served = (
        await RewardModelPool(engine_manager.handles(model), adapter_of(model), CONFIG, model).score(states)
    ).logits
    reference = AutoModelForCausalLM.from_pretrained(model.path, dtype=torch.float32).eval()
    for state, total in zip(states, served, strict=True):
        tokens = [(i, s.source is Source.MODEL) for s in form.segments(state) for i in words.encode(s.text)]
        tokens += [(words.eos_token_id, True)] * (len(state.steps) == 2)
        ids = torch.tensor([[i for i, _ in tokens]])
        with torch.no_grad():
            logits = torch.log_softmax(reference(ids).logits[0, :-1].float(), -1)
        expected = sum(float(logits[n - 1, i]) for n, (i, is_from_policy) in enumerate(tokens) if is_from_policy)
        assert math.isclose(total, expected, abs_tol=1e-3 * len(tokens))


@pytest.mark.parametrize("victim", [pytest.param("actor", marks=pytest.mark.thorough), "engine core"])
async def test_requests_survive_a_killed_engine(
    engine_manager: EngineManager, others: tuple[ModelRef, ModelRef], victim: str
) -> None:
    """The engine restarts on the model it was made with, then loads the one it served last."""
    engine = engine_manager.handles(others[0])[0]
    pool = PolicyPool([engine], CodeFormat(), CONFIG, others[0])
    sampling = Sampling(max_tokens=60)
    before = await asyncio.gather(*(pool.propose(state, 2, sampling, 1) for state in STATES))
    pid = await engine.pid.remote()
    cores = children(pid)
    running = [asyncio.ensure_future(pool.propose(state, 2, sampling, 1)) for state in STATES]
    await asyncio.sleep(0.05)
    os.kill(pid if victim == "actor" else cores[-1], signal.SIGKILL)
    after = await asyncio.gather(*running)
    assert [len(proposal.candidates) for proposal in after] == [2] * len(STATES)
    assert await engine.pid.remote() != pid
    assert pool.counts["came_back"] == 1
    same = sum(a.candidates == b.candidates for a, b in zip(after, before, strict=True))
    assert same >= 0.9 * len(STATES)  # the same seeds; rounding between batches may change a rare sample
    for _ in range(100):
        if not any(alive(core) for core in cores):
            break
        await asyncio.sleep(0.1)
    assert not any(alive(core) for core in cores)  # the old engine core left with its actor


def test_engine_that_does_not_start_in_time_is_named(
    local_ray: None, models: tuple[ModelRef, ModelRef], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(manager, "STOP_S", 0.5)  # it still starts, and does not stop by itself
    impatient = CONFIG.model_copy(update={"start_deadline_s": 0.5})
    with (
        EngineManager(impatient, impatient) as engines,
        pytest.raises(StartTimeout, match=r"policy-0 did not start within 0.5 s"),
    ):
        engines.start(models[0])


class UnstartableEngine(PolicyEngine):
    """An engine that finds no model, without the seconds that vLLM takes to be imported."""

    def _start(self) -> AsyncLLM:
        raise FileNotFoundError(self._model.path)


@pytest.mark.parametrize("engine", [UnstartableEngine, pytest.param(PolicyEngine, marks=pytest.mark.thorough)])
def test_missing_model_is_named(local_ray: None, tmp_path: Path, engine: type[PolicyEngine]) -> None:
    with (
        EngineManager(CONFIG, CONFIG, {"policy": engine}) as engines,
        pytest.raises(EngineStartFailed, match=r"policy-0 could not start on .*nothing"),
    ):
        engines.start(ModelRef("policy", str(tmp_path / "nothing")))


def test_tags_are_single_tokens_of_the_test_model(words: Any) -> None:
    assert all(len(words.encode(tag, add_special_tokens=False)) == 1 for tag in CODE_TAGS)


def children(pid: int) -> list[int]:
    """Direct child processes, oldest first, whichever thread started them."""
    listed = [path.read_text().split() for path in Path(f"/proc/{pid}/task").glob("*/children")]
    return sorted(int(child) for thread in listed for child in thread)


def alive(pid: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
