"""Attempts to break out, one test each, at the strictest isolation that this machine gives.

A snippet prints ESCAPED where it got what it must not have. Each test asserts that it did not, and that the next step
still runs.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import socket
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from actors.sandbox.config import ExecutorConfig
from actors.sandbox.limits import Tier
from actors.sandbox.local import LocalExecutor
from actors.sandbox.result import ExecResult
from search.types import Outcome

pytestmark = pytest.mark.asyncio(loop_scope="module")
CONFIG = ExecutorConfig(concurrency=2, cpu_seconds=1, wall_seconds=3, memory_mib=128, require=Tier.BASIC, heavy=())
PROJECT = str(Path(__file__).resolve().parents[2])
HOME = str(Path.home())
SECRET = "the-secret-of-the-run"
numbers = itertools.count()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def executor() -> AsyncIterator[LocalExecutor]:
    os.environ["RAYSTAR_TEST_SECRET"] = SECRET
    async with LocalExecutor(CONFIG) as local:
        yield local
    del os.environ["RAYSTAR_TEST_SECRET"]


@pytest.fixture
def secret_file(tmp_path: Path) -> Path:
    path = tmp_path / "run" / "manifest.json"
    path.parent.mkdir()
    path.write_text(SECRET)
    return path


async def attempt(executor: LocalExecutor, code: str, prefix: tuple[str, ...] = ()) -> ExecResult:
    """Run an attempt, assert that it failed and that the service is as before."""
    result = await executor.run_code(prefix, code)
    assert "ESCAPED" not in result.output
    assert SECRET not in result.output
    await next_step_runs(executor)
    return result


async def next_step_runs(executor: LocalExecutor) -> None:
    number = next(numbers)
    after = await executor.run_code((), f"print({number}, sum([1, 2]), len('abc'))")
    assert (after.outcome, after.output) == (Outcome.OK, f"{number} 3 3\n")


def unharmed(path: Path) -> bool:
    return path.read_text() == SECRET


def strict_only(executor: LocalExecutor) -> None:
    if executor.service.hello["tier"] != Tier.STRICT:
        pytest.skip("files are confined at the strict tier only; this machine does not give it")


def active(executor: LocalExecutor) -> list[int]:
    """Children of the service that are neither the interpreter nor frozen states."""
    service = executor.service
    found = []
    for pid in Path(f"/proc/{service.pid}/task/{service.pid}/children").read_text().split():
        try:
            kind = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            continue
        if int(pid) != service.hello["zygote"] and kind not in "TZX":
            found.append(int(pid))
    return found


async def nothing_runs(executor: LocalExecutor) -> None:
    for _ in range(200):
        if not active(executor):
            return
        await asyncio.sleep(0.02)
    pytest.fail(f"still running: {active(executor)}")


# -- reading ----------------------------------------------------------------------------------------------------------

READ = "print('ESCAPED', open({path!r}, 'rb').read(99))"


@pytest.mark.parametrize(
    "path", ["/etc/passwd", "/etc/shadow", "/proc/self/environ", "/proc/self/mem", "/proc/self/maps", "/proc/1/environ"]
)
async def test_reading_system_files(executor: LocalExecutor, path: str) -> None:
    strict_only(executor)
    assert (await attempt(executor, READ.format(path=path))).outcome is Outcome.FORBIDDEN


@pytest.mark.parametrize("name", ["environ", "mem", "maps", "cmdline"])
async def test_reading_the_service_and_the_caller_in_proc(executor: LocalExecutor, name: str) -> None:
    strict_only(executor)
    for pid in (os.getpid(), executor.service.pid, executor.service.hello["zygote"]):
        assert (await attempt(executor, READ.format(path=f"/proc/{pid}/{name}"))).outcome is Outcome.FORBIDDEN


async def test_reading_files_of_a_run(executor: LocalExecutor, secret_file: Path) -> None:
    strict_only(executor)
    assert (await attempt(executor, READ.format(path=str(secret_file)))).outcome is Outcome.FORBIDDEN
    listing = f"import os; print('ESCAPED', os.listdir({str(secret_file.parent)!r}))"
    assert (await attempt(executor, listing)).outcome is Outcome.FORBIDDEN


async def test_reading_the_home_directory_and_the_project(executor: LocalExecutor) -> None:
    strict_only(executor)
    for path in (HOME, PROJECT):
        code = f"import os; print('ESCAPED', os.listdir({path!r}))"
        assert (await attempt(executor, code)).outcome is Outcome.FORBIDDEN
    code = f"import sys; sys.path.append({PROJECT!r}); import actors; print('ESCAPED')"
    assert (await attempt(executor, code)).outcome is not Outcome.OK


async def test_scratch_of_other_steps_cannot_be_listed(executor: LocalExecutor) -> None:
    strict_only(executor)
    result = await attempt(executor, "import os; print('ESCAPED', os.listdir('..'))")
    assert result.outcome is Outcome.FORBIDDEN


# -- writing ----------------------------------------------------------------------------------------------------------


async def test_writing_anywhere_but_scratch(executor: LocalExecutor, tmp_path: Path) -> None:
    targets = [tmp_path / "x", Path("/tmp/raystar-escape"), Path("/dev/shm/raystar-escape"), Path(os.__file__)]
    for target in targets:
        before = target.stat().st_mtime_ns if target.exists() else None
        code = f"open({str(target)!r}, 'a').write('x'); print('ESCAPED')"
        assert (await attempt(executor, code)).outcome is Outcome.FORBIDDEN
        assert (target.stat().st_mtime_ns if target.exists() else None) == before
    assert (await attempt(executor, "open('../x', 'w'); print('ESCAPED')")).outcome is Outcome.FORBIDDEN


async def test_changing_and_making_what_is_no_plain_file(executor: LocalExecutor, secret_file: Path) -> None:
    path = str(secret_file)
    calls = [
        "chmod(p, 0)",
        "unlink(p)",
        "rename(p, 'x')",
        "truncate(p, 0)",
        "utime(p)",
        "link(p, 'x')",
        "chown(p, 1, 1)",
    ]
    calls += [
        "mkdir('d')",
        "mkfifo('f')",
        "mknod('n')",
        "open(p, os.O_RDONLY | os.O_TRUNC)",
        "setxattr(p, 'user.a', b'')",
    ]
    for call in calls:
        assert (
            await attempt(executor, f"import os; p = {path!r}; os.{call}; print('ESCAPED')")
        ).outcome is not Outcome.OK
    assert unharmed(secret_file)


async def test_scratch_is_empty_writable_and_vanishes(executor: LocalExecutor) -> None:
    strict_only(executor)
    code = (
        "import os; print(os.listdir('.')); open('note', 'w').write('x'); print(os.listdir('.'), open('note').read())"
    )
    first = await attempt(executor, code)
    assert (first.outcome, first.output) == (Outcome.OK, "[]\n['note'] x\n")
    assert (await attempt(executor, code + " # again")).output == first.output


async def test_files_of_a_program_are_there_for_its_later_steps(executor: LocalExecutor) -> None:
    strict_only(executor)
    result = await attempt(
        executor, "print(open('note').read())", prefix=("f = open('note', 'w'); _ = f.write('mine'); f.close()",)
    )
    assert (result.outcome, result.output) == (Outcome.OK, "mine\n")


async def test_filling_scratch(executor: LocalExecutor) -> None:
    strict_only(executor)
    many = "for i in range(10 ** 6): open(str(i), 'w').close()"
    assert (await attempt(executor, many)).output == "OSError: [Errno 28] No space left on device: '16'"
    large = "f = open('a', 'wb')\nwhile True: f.write(b'a' * 65536)"
    assert (await attempt(executor, large)).output == "OSError: [Errno 27] File too large"
    sparse = "f = open('a', 'wb'); f.seek(10 ** 12); f.write(b'a'); f.flush(); print('ESCAPED')"
    assert (await attempt(executor, sparse)).output == "OSError: [Errno 27] File too large"
    cut = "f = open('a', 'wb'); f.truncate(10 ** 12); print('ESCAPED')"
    assert (await attempt(executor, cut)).output == "OSError: [Errno 27] File too large"


async def test_links_out_of_scratch(executor: LocalExecutor, secret_file: Path) -> None:
    for name in ("symlink", "link"):
        code = f"import os; os.{name}({str(secret_file)!r}, 'l'); print('ESCAPED', open('l').read())"
        assert (await attempt(executor, code)).outcome is Outcome.FORBIDDEN


# -- the network ------------------------------------------------------------------------------------------------------


@pytest.fixture
def listeners(tmp_path: Path) -> Iterator[dict[str, object]]:
    """Servers that a step must not reach: TCP (as Ray's ports are), UDP, unix and abstract sockets."""
    tcp = socket.create_server(("127.0.0.1", 0))
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    udp.bind(("127.0.0.1", 0))
    unix = socket.socket(socket.AF_UNIX)
    unix.bind(str(tmp_path / "s"))
    abstract = socket.socket(socket.AF_UNIX)
    abstract.bind(f"\0raystar-{os.getpid()}")
    servers = [tcp, udp, unix, abstract]
    for server in (unix, abstract):
        server.listen()
    for server in servers:
        server.setblocking(False)
    yield {"servers": servers, "tcp": tcp.getsockname(), "unix": unix.getsockname(), "abstract": abstract.getsockname()}
    for server in servers:
        server.close()


@pytest.mark.parametrize("kind", ["tcp", "unix", "abstract"])
async def test_connecting(executor: LocalExecutor, listeners: dict[str, object], kind: str) -> None:
    family = "AF_INET" if kind == "tcp" else "AF_UNIX"
    code = f"import socket; s = socket.socket(socket.{family}); s.connect({listeners[kind]!r}); print('ESCAPED')"
    assert (await attempt(executor, code)).outcome is Outcome.FORBIDDEN
    for server in listeners["servers"]:  # type: ignore[attr-defined]
        with pytest.raises(BlockingIOError):
            server.recv(1) if server.type == socket.SOCK_DGRAM else server.accept()


@pytest.mark.parametrize(
    "kind", ["AF_INET, SOCK_DGRAM", "AF_INET6, SOCK_STREAM", "AF_PACKET, SOCK_RAW", "AF_NETLINK, SOCK_RAW"]
)
async def test_any_socket(executor: LocalExecutor, kind: str) -> None:
    code = f"from socket import *; socket({kind}); print('ESCAPED')"
    assert (await attempt(executor, code)).outcome is Outcome.FORBIDDEN


async def test_socket_pairs_pipes_and_memory_files(executor: LocalExecutor) -> None:
    for call in ("__import__('socket').socketpair()", "os.pipe()", "os.memfd_create('a')", "os.eventfd(0)"):
        assert (await attempt(executor, f"import os; {call}; print('ESCAPED')")).outcome is Outcome.FORBIDDEN


# -- other processes --------------------------------------------------------------------------------------------------


async def test_signals_to_the_service_another_step_and_itself(executor: LocalExecutor) -> None:
    victim = asyncio.ensure_future(executor.run_code((), "import time; time.sleep(1); print('alive')"))
    await asyncio.sleep(0.3)
    targets = [executor.service.pid, executor.service.hello["zygote"], os.getpid(), 1, 0, -1, *active(executor)]
    for target in targets:
        code = f"import os, signal\nos.kill({target}, signal.SIGKILL)\nprint('ESCAPED')"
        assert (await attempt(executor, code)).outcome is Outcome.FORBIDDEN
    assert (await victim).output == "alive\n"
    for number in ("SIGSTOP", "SIGKILL", "SIGSEGV"):
        code = f"import os, signal\nos.kill(os.getpid(), signal.{number})\nprint('ESCAPED')"
        assert (await attempt(executor, code)).outcome is Outcome.FORBIDDEN
    assert executor.service.restarts == 0


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
async def test_raw_system_calls(executor: LocalExecutor, name: str, arguments: str) -> None:
    given = arguments.format(zygote=executor.service.hello["zygote"])
    code = f"{RAW}\nresult, error = call({given})\nprint('ESCAPED' if result != -1 else error)"
    result = await attempt(executor, code)
    assert result.outcome is Outcome.OK, name
    assert int(result.output) in (1, 38), name  # EPERM, ENOSYS
    assert executor.service.restarts == 0


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


async def test_programs(executor: LocalExecutor) -> None:
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


async def test_fork_bomb_and_double_forked_orphans(executor: LocalExecutor) -> None:
    bomb = "import os\nwhile True: os.fork()"
    assert (await attempt(executor, bomb)).outcome is Outcome.FORBIDDEN
    orphan = (
        "import os, time\nif os.fork() == 0:\n  os.setsid()\n  if os.fork() == 0: time.sleep(999)\nprint('ESCAPED')"
    )
    assert (await attempt(executor, orphan)).outcome is Outcome.FORBIDDEN
    await nothing_runs(executor)


async def test_thread_bomb(executor: LocalExecutor) -> None:
    code = "import threading, time\nwhile True: threading.Thread(target=time.sleep, args=(99,)).start()"
    assert (await attempt(executor, code)).output == "RuntimeError: can't start new thread"
    await nothing_runs(executor)


# -- descriptors, environment, what is left of others ---------------------------------------------------------------


async def test_inherited_descriptors(executor: LocalExecutor) -> None:
    code = """
import os
found = []
for number in range(1024):
    try:
        os.fstat(number)
        found.append(number)
    except OSError:
        pass
print(found)
"""
    assert (await attempt(executor, code)).output == "[0, 1, 2, 3]\n"


async def test_environment(executor: LocalExecutor) -> None:
    code = "import os; print(sorted(os.environ))"
    constants = ["HOME", "LC_ALL", "MKL_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "PYTHONHASHSEED", "TZ"]
    assert (await attempt(executor, code)).output == f"{constants}\n"
    dig = "import ctypes; e = ctypes.POINTER(ctypes.c_char_p).in_dll(ctypes.CDLL(None), 'environ'); i = 0\n"
    dig += "while e[i]:\n  print(e[i]); i += 1"
    assert "RAYSTAR" not in (await attempt(executor, dig)).output


async def test_memory_holds_nothing_of_other_steps(executor: LocalExecutor) -> None:
    await executor.run_code((), f"word = {SECRET!r} * 3")
    code = "import gc\nprint([o for o in gc.get_objects() if isinstance(o, dict) and 'word' in o] and 'ESCAPED')"
    assert (await attempt(executor, code)).output == "[]\n"


# -- time, memory, output ---------------------------------------------------------------------------------------------

PATIENT = """
import signal, time, atexit
class Last:
    def __del__(self):
        while True: pass
last = Last()
def forever():
    while True: pass
atexit.register(forever)
for number in range(1, 65):
    try:
        signal.signal(number, lambda *a: None)
    except (OSError, ValueError):
        pass
while True:
    try:
        {wait}
    except BaseException:
        pass
"""


@pytest.mark.parametrize("wait", ["while True: pass", "time.sleep(1000)", "signal.pause()", "input()"])
async def test_going_on_after_the_time_is_up(executor: LocalExecutor, wait: str) -> None:
    assert (await attempt(executor, PATIENT.format(wait=wait))).outcome is Outcome.TIMEOUT
    await nothing_runs(executor)


async def test_going_on_after_the_end_of_the_step(executor: LocalExecutor) -> None:
    code = "import signal, atexit\natexit.register(print, 'late')\nsignal.setitimer(signal.ITIMER_REAL, 0.01, 0.01)\n"
    code += "def again(*a):\n  while True: pass\nsignal.signal(signal.SIGALRM, again)\nprint('done')"
    result = await attempt(executor, code)
    assert result.outcome in (Outcome.OK, Outcome.TIMEOUT)
    await asyncio.sleep(0.1)
    await nothing_runs(executor)


async def test_ending_without_a_result(executor: LocalExecutor) -> None:
    ends = ["import os; os._exit(0)", "import os; os.abort()", "import ctypes; ctypes.string_at(0)"]
    ends += [
        "import os; os.close(3)\nwhile True: pass",
        "import sys; sys.setrecursionlimit(10 ** 9)\nclass A:\n  def __repr__(self): return repr([self])\nrepr(A())",
    ]
    for end in ends:
        assert (await attempt(executor, end)).outcome in (Outcome.CRASHED, Outcome.OUT_OF_MEMORY, Outcome.EXCEPTION)
    deep = "x = []\nfor i in range(10 ** 6): x = [x]\nprint(len(repr(x)))"
    assert (await attempt(executor, deep)).output.startswith("RecursionError")
    await nothing_runs(executor)


async def test_memory_bombs(executor: LocalExecutor) -> None:
    bombs = ["x = 'a' * 10 ** 10", "x = []\nwhile True: x.append(bytearray(10 ** 6))", "x = [1]\nwhile True: x += x"]
    for bomb in bombs:
        assert (await attempt(executor, bomb)).outcome is Outcome.OUT_OF_MEMORY
    raised = "import resource; resource.setrlimit(resource.RLIMIT_AS, (-1, -1)); print('ESCAPED')"
    assert (await attempt(executor, raised)).outcome is not Outcome.OK


async def test_output_floods(executor: LocalExecutor) -> None:
    floods = ["print('a' * 10 ** 7)", "while True:\n  try: print('a')\n  except BaseException: pass"]
    for flood in floods:
        result = await attempt(executor, flood)
        assert result.outcome in (Outcome.OUTPUT_TRUNCATED, Outcome.TIMEOUT)
        assert len(result.output) < 200
    direct = "import os\nfor number in (1, 2): os.write(number, b'a' * 10 ** 6)\nprint('ok')"
    assert (await attempt(executor, direct)).output == "ok\n"


# -- tampering and forging ------------------------------------------------------------------------------------------

TAMPER = """
import sys, builtins, math, gc, io
builtins.print = lambda *a, **k: None
builtins.sum = builtins.len = lambda *a: 99
sys.modules.clear()
math.sqrt = None
sys.stdout = None
for thing in gc.get_objects():
    if isinstance(thing, dict) and '__builtins__' in thing:
        thing.clear()
"""


async def test_tampering_with_the_interpreter(executor: LocalExecutor) -> None:
    await attempt(executor, TAMPER)
    assert (await attempt(executor, "import math; print(math.sqrt(9), len([1]))")).output == "3.0 1\n"
    assert executor.service.restarts == 0


FORGE = """
import os, struct
body = b'forged'
frames = [b'H', b'F' * 99, bytes(16) + struct.pack('>I', len(body)) + b'k' + body, b'Z' * 30, os.urandom(4000)]
for number in range(64):
    try:
        os.write(number, frames[{which}])
    except OSError:
        pass
"""


@pytest.mark.parametrize("which", range(5))
async def test_forging_a_result(executor: LocalExecutor, which: int) -> None:
    other = asyncio.ensure_future(executor.run_code((), f"import time; time.sleep(0.2); print('mine {which}')"))
    result = await attempt(executor, FORGE.format(which=which))
    assert result.outcome is Outcome.FORBIDDEN
    assert (await other).output == f"mine {which}\n"


async def test_answering_in_place_of_a_child(executor: LocalExecutor) -> None:
    """A state whose loop was replaced by its step can only harm its own descendants."""
    code = "import sys, os\nframe = sys._getframe()\nwhile frame.f_back: frame = frame.f_back\n"
    code += "frame.f_globals['fork'] = None\n"
    code += "for name in ('close', 'dup2', 'write', 'read'): setattr(os, name, None)"
    result = await executor.run_code((code,), "print(1)")
    assert result.output == "1\n" or result.outcome in (Outcome.CRASHED, Outcome.EXCEPTION, Outcome.TIMEOUT)
    await next_step_runs(executor)


# -- strange text -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "code",
    [
        "\0",
        "print(1)\0",
        "\ud800",
        "# \udfff",
        "x = 1" * 2_000_000,
        "(" * 5000,
        "x = " + "-" * 60_000 + "1",
        "\x1a\x0c",
    ],
)
async def test_code_that_is_no_text(executor: LocalExecutor, code: str) -> None:
    result = await attempt(executor, code)
    assert result.outcome in (Outcome.SYNTAX_ERROR, Outcome.CRASHED, Outcome.OUT_OF_MEMORY, Outcome.OK)
    assert len(result.output) <= 200


async def test_output_that_is_no_text(executor: LocalExecutor) -> None:
    assert (await attempt(executor, "print('\\0', '\\ud800')")).output == "\0 ?\n"
    raising = "class E(Exception):\n  def __str__(self): raise self\nraise E"
    assert (await attempt(executor, raising)).output == "E"
    lying = "class E(Exception):\n  def __str__(self): return 'a\\nb' * 10 ** 6 + '\\ud800'\nraise E"
    result = await attempt(executor, lying)
    assert len(result.output) <= 200 and "\n" not in result.output
