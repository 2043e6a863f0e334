"""Send the sandbox whatever a model may write, and frames that no honest step writes: each gets its outcome.

Nothing may raise or end the fork server: ``restarts`` stays 0, and after each round a plain step gives its result. The
short form runs with the fast tests; RAYSTAR_FUZZ_STEPS sets the length of the long one.
"""

from __future__ import annotations

import json
import os
import random
import socket
import struct

import pytest

from actors.sandbox.client.executor import LocalExecutor, is_comment_only, make_program
from actors.sandbox.client.result import make_result
from actors.sandbox.config import ExecutorConfig
from actors.sandbox.framing import FRAME, Channel, encode_frame
from actors.sandbox.limits import Limits, Tier
from actors.sandbox.server.process import Process, Violation
from search.data import Outcome
from tests.actors.sandbox.server.arithmetic_programs import PIECES, hostile_codes, random_program

FUZZ_STEPS = int(os.environ.get("RAYSTAR_FUZZ_STEPS", "20000"))
CONFIG = ExecutorConfig(
    concurrency=2, cpu_seconds=0.5, wall_seconds=1, memory_mib=128, output_bytes=2000, required_tier=Tier.NONE,
    heavy_modules=(), cache_entries=0, live_states=8,
)  # fmt: skip
FRAME_OF_THE_STEP = """
import sys, os, struct
frame = sys._getframe()
while frame and 'token' not in frame.f_locals: frame = frame.f_back
token = frame.f_locals['token']
for part in {parts!r}:
    os.write(3, token if part == 'token' else part)
"""


def random_characters(rng: random.Random, length: int) -> str:
    """Return characters from all of Unicode, surrogates and control characters among them."""
    ceilings = (0x20, 0x80, 0x800, 0x10000, 0x110000)
    special = "\ud800\udfff\ud83d\0\r\n\x0b\x1c\x85\u2028\ufeff\u202e\uffff\\'\"{}"
    return "".join(
        rng.choice(special) if rng.random() < 0.3 else chr(rng.randrange(rng.choice(ceilings))) for _ in range(length)
    )


def random_step(rng: random.Random) -> str:
    """Return a step that writes any text or bytes, is any text itself, or forges its result."""
    kind = rng.randrange(7)
    text = random_characters(rng, rng.randrange(30))
    if kind == 0:
        return text
    if kind == 1:
        return f"print({text!a})"
    if kind == 2:
        return f"import sys; _ = sys.stdout.buffer.write({rng.randbytes(rng.randrange(60))!r})"
    if kind == 3:
        return f"raise {rng.choice(('ValueError', 'SystemExit', 'PermissionError', 'KeyError'))}({text!a})"
    if kind == 4:
        return rng.choice(random_program(rng))
    if kind == 5:
        return "".join(rng.choice(PIECES) for _ in range(rng.randrange(12)))
    return FRAME_OF_THE_STEP.format(parts=random_frame(rng))


def random_frame(rng: random.Random) -> list[object]:
    """Return the parts of a result frame: the true token or none, any length, any verdict, any body."""
    body = rng.randbytes(rng.choice((0, 5, 100, 2500, 7000)))
    size = rng.choice((len(body), 0, len(body) + 9, 2**32 - 1))
    parts: list[object] = ["token"] if rng.random() < 0.8 else [rng.randbytes(rng.randrange(20))]
    verdict = rng.choice((b"k", b"K", b"e", b"s", b"T", rng.randbytes(1)))
    return [*parts, struct.pack(">I", size)[: rng.choice((4, 4, 4, 2))], verdict, body, *([b"more"] * rng.randrange(2))]


async def run_random_steps(steps: int, seed: int) -> int:
    """Run so many random steps, look at each outcome, and return how many there were."""
    rng, outcomes = random.Random(seed), 0
    async with LocalExecutor(CONFIG) as executor:
        for start in range(0, steps, 50):
            prefixes = [(), ("x = 1",), (random_step(rng),)]
            programs = [(rng.choice(prefixes), random_step(rng)) for _ in range(50)]
            programs = [make_program(prefix, code) for prefix, code in programs]
            results = await executor.run_programs(programs)
            for result, program in zip(results, programs, strict=True):
                assert isinstance(result.outcome, Outcome), program
                assert len(result.output.encode()) <= 3 * (CONFIG.output_bytes + 4096), program  # valid UTF-8
                outcomes += 1
            assert (await executor.run_code((), f"print({start}, len('abc'))")).output == f"{start} 3\n"
        assert executor.server.restarts == 0 and not executor.server.pending
    return outcomes


async def test_random_steps_have_an_outcome() -> None:
    assert await run_random_steps(400, seed=1) == 400


@pytest.mark.slow
@pytest.mark.thorough
@pytest.mark.timeout(1800)
async def test_many_random_steps_have_an_outcome() -> None:
    assert await run_random_steps(FUZZ_STEPS, seed=2) >= FUZZ_STEPS


async def test_hostile_codes_have_an_outcome() -> None:
    codes = [code for code in hostile_codes() if len(code) < 6000 or code[:3] in ("(((", "a =", '"""')]
    async with LocalExecutor(CONFIG.model_copy(update={"live_states": 0})) as executor:
        results = await executor.run_programs(
            [make_program((code,), code) for code in random.Random(1).sample(codes, 150)]
        )
        assert all(isinstance(result.outcome, Outcome) for result in results)
        assert executor.server.restarts == 0


def test_caller_reads_any_code_without_raising() -> None:
    rng = random.Random(3)
    codes = [random_step(rng) for _ in range(5000)] + hostile_codes()
    for code in codes:
        assert isinstance(is_comment_only(code), bool)
        prefix, extended = make_program((code,), code)
        assert extended.startswith(code.rstrip()) and len(prefix) <= 1


def test_any_verdict_and_text_make_a_result() -> None:
    rng = random.Random(4)
    for number in range(3000):
        body = random_characters(rng, rng.randrange(300)) + "/a" * (number % 7) + " at 0x" + "f" * (number % 9)
        result = make_result(bytes([number % 256]), body, Limits())
        assert isinstance(result.outcome, Outcome)
        assert result.outcome is Outcome.OK or len(result.output) <= 200


def test_any_frame_is_a_result_or_a_violation() -> None:
    rng = random.Random(5)
    ours, theirs = socket.socketpair()
    with ours, theirs:
        for _ in range(5000):
            process = Process(sock=ours, key=b"", token=bytes(range(16)))
            parts = [process.token if part == "token" else part for part in random_frame(rng)]
            whole = b"".join(part for part in parts if isinstance(part, bytes))
            for piece in (whole[: rng.randrange(30)], whole):
                process.inbox = bytearray(piece)
                try:
                    result = process.take_result(6000)
                except Violation:
                    continue
                assert result is None or (len(result[0]) == 1 and len(result[1]) <= len(whole))


def test_channel_ends_at_bytes_that_are_no_message() -> None:
    rng = random.Random(6)
    junk = [rng.randbytes(rng.randrange(1, 40)) for _ in range(200)] + [b"[" * 5000, b'"\xff"', b"\xef\xbb\xbf1"]
    for body in junk:
        ours, theirs = socket.socketpair()
        with ours, theirs:
            theirs.sendall(encode_frame(["\ud83d", "é"]) + FRAME.pack(len(body)) + body)
            received = Channel(ours).receive()
            assert next(received) == ["\ud83d", "é"]
            try:
                assert list(received) == [json.loads(body)]
            except ConnectionError:
                pass
