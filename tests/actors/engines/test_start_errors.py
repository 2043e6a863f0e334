"""The cause of an engine that does not start, out of the log that vLLM's processes leave."""

from __future__ import annotations

from pathlib import Path

import pytest
from ray.exceptions import ActorDiedError, RayError

from actors.engines import start_errors
from actors.engines.start_errors import ActorLog, cause_in, cause_of, start_failure
from actors.errors import EngineStartFailed

CORE = "(EngineCore pid=71) "
ERROR = "ERROR 11-30 04:20:24 [core.py:1510] "
POINTER = "Engine core initialization failed. See root cause above. Failed core proc(s): {}"
# What vLLM 0.32 writes when the card is full: the traceback twice, by its logger and by the process that ends.
FULL_CARD = f"""
WARNING 11-30 04:20:20 [interface.py:221] Failed to import from vllm._C
{CORE}{ERROR}EngineCore failed to start.
{CORE}{ERROR}Traceback (most recent call last):
{CORE}{ERROR}  File "vllm/v1/engine/core.py", line 1484, in run_engine_core
{CORE}{ERROR}    engine_core = EngineCoreProc(*args, engine_index=dp_rank, **kwargs)
{CORE}{ERROR}                  ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
{CORE}{ERROR}ValueError: Free memory on device cuda:0 (3.1/79.1 GiB) on startup is less than desired (0.9, 71.2 GiB).
{CORE}Process EngineCore:
{CORE}Traceback (most recent call last):
{CORE}  File "multiprocessing/process.py", line 314, in _bootstrap
{CORE}ValueError: Free memory on device cuda:0 (3.1/79.1 GiB) on startup is less than desired (0.9, 71.2 GiB).
""".splitlines()
# Tensor parallel: a worker fails, and the engine core and the actor only point to it. Lines of two workers are mixed.
MIXED = f"""
(Worker_TP0 pid=81) {ERROR}Traceback (most recent call last):
(Worker_TP1 pid=82) {ERROR}Traceback (most recent call last):
(Worker_TP0 pid=81) {ERROR}  File "vllm/worker.py", line 1, in load_model
(Worker_TP1 pid=82) {ERROR}torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 1.02 GiB.
(Worker_TP0 pid=81) {ERROR}torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 1.02 GiB.
{CORE}{ERROR}Traceback (most recent call last):
{CORE}{ERROR}  File "vllm/v1/executor/multiproc_executor.py", line 700
{CORE}{ERROR}Exception: WorkerProc initialization failed due to an exception in a background process. See stack trace for root cause.
""".splitlines()


@pytest.mark.parametrize(
    ("lines", "cause"),
    [
        (
            FULL_CARD,
            "ValueError: Free memory on device cuda:0 (3.1/79.1 GiB) on startup is less than desired (0.9, 71.2 GiB).",
        ),
        (MIXED, "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 1.02 GiB."),
        (["Traceback (most recent call last):", '  File "x"', "KeyError: 'a'", "later"], "KeyError: 'a'"),
        (["ValueError: outside a traceback"], None),
        ([], None),
    ],
)
def test_cause_is_the_last_error_that_points_to_no_other(lines: list[str], cause: str | None) -> None:
    assert cause_in(lines) == cause


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file that stands for the actor's log."""
    file = tmp_path / "worker-1.err"
    file.write_text("Traceback (most recent call last):\nOSError: of an engine before\n")
    monkeypatch.setattr(start_errors, "STDERR", file)
    return file


def test_failure_names_cause_and_log_when_a_process_failed(log: Path) -> None:
    before = ActorLog()
    with log.open("a") as file:
        file.write("\n".join(FULL_CARD))
    failure = start_failure(RuntimeError(POINTER), before)
    assert isinstance(failure, EngineStartFailed)
    assert str(failure).startswith("ValueError: Free memory on device cuda:0 (3.1/79.1 GiB)")
    assert str(failure).endswith(f"log {log})") and "\n" not in str(failure)


def test_failure_is_of_this_start_and_not_of_one_before(log: Path) -> None:
    assert str(start_failure(RuntimeError(POINTER), ActorLog())).startswith("RuntimeError: Engine core init")


def test_killed_engine_core_is_named_with_its_signal(log: Path) -> None:
    pointer = POINTER.replace("{}", "{'EngineCore_DP0': -9}")
    failure = start_failure(RuntimeError(pointer), ActorLog())
    assert str(failure).startswith("the engine core was killed by SIGKILL; the host's memory ran out")


def test_error_of_the_actor_itself_is_one_line(log: Path) -> None:
    error = ValueError(
        "1 validation error for ModelConfig\n  Value error, bfloat16 is not supported [type=value_error, input_value={}]\n"
        "    For further information visit https://errors.pydantic.dev/2.1/v/value_error"
    )
    expected = "ValueError: 1 validation error for ModelConfig Value error, bfloat16 is not supported (node"
    assert str(start_failure(error, ActorLog())).startswith(expected)


DIED = ActorDiedError.BASE_ERROR_MSG + "\n\tclass_name: PolicyEngine\n\tactor_id: 1\n\tip: 10.0.0.9\n"


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        (
            "ray::PolicyEngine.__init__()\n  File x\nactors.errors.EngineStartFailed: no memory (node a)",
            "no memory (node a)",
        ),
        ("ray::PolicyEngine.__init__()\n  File x\nTypeError: no number\n", "TypeError: no number"),
        (f"{DIED}Its node died.\nThe actor never ran - it was cancelled before it started running.", "Its node died."),
        ("", "RayError"),
    ],
)
def test_cause_of_a_dead_actor_is_one_line(text: str, cause: str) -> None:
    assert cause_of(RayError(text)) == cause
