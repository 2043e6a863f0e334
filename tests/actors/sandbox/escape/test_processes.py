"""Signals, raw system calls, programs, and bombs of processes and threads."""

from __future__ import annotations

import asyncio
import os

import pytest

from actors.sandbox.client.executor import LocalExecutor
from search.data import Outcome
from tests.actors.sandbox.escape.attempts import active, attempt, nothing_runs, without_line

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_signals_to_server_steps_and_itself_are_refused(executor: LocalExecutor) -> None:
    victim = asyncio.ensure_future(executor.run_code((), "import time; time.sleep(1); print('alive')"))
    await asyncio.sleep(0.3)
    targets = [executor.server.pid, executor.server.hello["zygote"], os.getpid(), 1, 0, -1, *active(executor)]
    for target in targets:
        code = f"import os, signal\nos.kill({target}, signal.SIGKILL)\nprint('ESCAPED')"
        assert (await attempt(executor, code)).outcome is Outcome.FORBIDDEN
    assert (await victim).output == "alive\n"
    for number in ("SIGSTOP", "SIGKILL", "SIGSEGV"):
        code = f"import os, signal\nos.kill(os.getpid(), signal.{number})\nprint('ESCAPED')"
        assert (await attempt(executor, code)).outcome is Outcome.FORBIDDEN
    assert executor.server.restarts == 0


RAW = """
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
def call(*arguments):
    result = libc.syscall(*(ctypes.c_long(a) if isinstance(a, int) else a for a in arguments))
    return result, ctypes.get_errno()
"""


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="numbers of x86_64")
@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("ptrace", "101, 16, {zygote}, 0, 0"),
        ("process_vm_readv", "310, {zygote}, 0, 0, 0, 0, 0"),
        ("process_vm_writev", "311, {zygote}, 0, 0, 0, 0, 0"),
        ("pidfd_open", "434, {zygote}, 0"),
        ("kill", "62, {zygote}, 9"),
        ("tgkill", "234, {zygote}, {zygote}, 9"),
        ("rt_sigqueueinfo", "129, {zygote}, 9, 0"),
        ("prlimit64 of the interpreter", "302, {zygote}, 0, 0, 0"),
        ("io_uring_setup", "425, 8, ctypes.create_string_buffer(200)"),
        ("bpf", "321, 0, 0, 0"),
        ("keyctl", "250, 0, -3, 0"),
        ("add_key", "248, b'user', b'a', b'b', 1, -3"),
        ("userfaultfd", "323, 0"),
        ("perf_event_open", "298, 0, 0, 0, 0, 0"),
        ("unshare", "272, 0x10000000"),
        ("setns", "308, 3, 0"),
        ("mount", "165, b'a', b'/', b'tmpfs', 0, 0"),
        ("pivot_root", "155, b'/', b'/'"),
        ("chroot", "161, b'/'"),
        ("init_module", "175, 0, 0, b''"),
        ("setuid", "105, 0"),
        ("setsid", "112"),
        ("setpgid", "109, 0, 0"),
        ("clone into namespaces", "56, 0x10000011, 0, 0, 0, 0"),
        ("clone", "56, 17, 0, 0, 0, 0"),
        ("clone beside the service", "56, 0x8011, 0, 0, 0, 0"),
        ("clone3", "435, ctypes.create_string_buffer(88), 88"),
        ("fork", "57"),
        ("vfork", "58"),
        ("execve", "59, b'/bin/sh', 0, 0"),
        ("execveat", "322, -100, b'/bin/su', 0, 0, 0"),
        ("open by handle", "304, -100, 0, 0"),
        ("openat2", "437, -100, b'/etc/passwd', ctypes.create_string_buffer(24), 24"),
        ("seccomp", "317, 1, 0, 0"),
        ("shmget", "29, 0, 4096, 0o1777"),
        ("msgget", "68, 0, 0o1777"),
        ("sched_setaffinity", "203, 0, 8, b'\\\\0' * 8"),
        ("reboot", "169, 0, 0, 0, 0"),
        ("shared memory map", "9, 0, 4096, 3, 0x21, -1, 0"),
        ("prctl: outlive the service", "157, 1, 0, 0, 0, 0"),
        ("fcntl: signals by descriptor", "72, 3, 8, {zygote}"),
    ],
)
async def test_raw_system_calls_are_refused(executor: LocalExecutor, name: str, arguments: str) -> None:
    call_arguments = arguments.format(zygote=executor.server.hello["zygote"])
    code = f"{RAW}\nresult, error = call({call_arguments})\nprint('ESCAPED' if result != -1 else error)"
    result = await attempt(executor, code)
    assert result.outcome is Outcome.OK, name
    assert int(result.output) in (1, 38), name  # EPERM, ENOSYS
    assert executor.server.restarts == 0


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="32-bit calls of x86")
async def test_calls_of_another_architecture_kill_the_step(executor: LocalExecutor) -> None:
    code = """
import ctypes, mmap
page = mmap.mmap(-1, 4096, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, prot=7)
page.write(bytes([0xB8, 20, 0, 0, 0, 0xCD, 0x80, 0xC3]))  # mov eax, 20; int 0x80; ret
run = ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(page)))
print('ESCAPED' if run() > 0 else 'no')
"""
    assert (await attempt(executor, code)).outcome is Outcome.CRASHED
    x32_getpid = f"{RAW}\nprint('ESCAPED', call(0x40000000 + 39))"
    assert (await attempt(executor, x32_getpid)).outcome is Outcome.CRASHED


async def test_programs_cannot_be_executed(executor: LocalExecutor) -> None:
    for call in (
        "system('id')",
        "execv('/bin/su', ['su'])",
        "popen('id').read()",
        "posix_spawn('/bin/sh', ['sh'], {})",
    ):
        result = await attempt(
            executor, f"import os; r = os.{call}; print('ESCAPED' if r not in (-1, 32512, '') else 'no')"
        )
        assert result.outcome is not Outcome.OK or result.output == "no\n"
    code = "import subprocess; subprocess.run(['id']); print('ESCAPED')"
    assert (await attempt(executor, code)).outcome is Outcome.FORBIDDEN


async def test_fork_bombs_and_orphans_are_refused(executor: LocalExecutor) -> None:
    bomb = "import os\nwhile True: os.fork()"
    assert (await attempt(executor, bomb)).outcome is Outcome.FORBIDDEN
    orphan = (
        "import os, time\nif os.fork() == 0:\n  os.setsid()\n  if os.fork() == 0: time.sleep(999)\nprint('ESCAPED')"
    )
    assert (await attempt(executor, orphan)).outcome is Outcome.FORBIDDEN
    await nothing_runs(executor)


async def test_thread_bomb_is_refused(executor: LocalExecutor) -> None:
    code = "import threading, time\nwhile True: threading.Thread(target=time.sleep, args=(99,)).start()"
    assert without_line(await attempt(executor, code)) == "RuntimeError: can't start new thread"
    await nothing_runs(executor)
