"""The warm interpreter: loads modules once, then every step and every kept state is a fork of it or of its forks.

Speaks on one socket with the warden, its parent. Started as a fresh interpreter, never forked from anything that has
threads. A fork is a bare ``clone`` with CLONE_PARENT: all steps are children of the warden, whoever forked them, and
no at-fork hook runs, so ``random`` goes on where the parent's stood.

    warden -> here    one byte and a descriptor: fork, and let the child speak on that descriptor
    child  -> warden  HELLO; reads its job; RESULT; then waits as a state for forks of its own
    here   -> warden  FORKED, when the parent's copy of the descriptor is closed
"""

from __future__ import annotations

import array
import ctypes
import gc
import importlib
import json
import os
import resource
import signal
import socket
import struct
import sys
import sysconfig
from importlib.machinery import BuiltinImporter, FrozenImporter, PathFinder

from actors.sandbox.jail import interpreter
from actors.sandbox.jail.lockdown import Lock, lock, verify
from actors.sandbox.limits import Limits
from actors.sandbox.linux import CLONE_PARENT, PR_SET_PDEATHSIG, PR_SET_THP_DISABLE, libc, numbers

CONTROL = 3
HELLO, FORKED = b"H", b"F"
NEUTRAL = "/"

# One representative call of each heavy module: what it loads or builds on first use is then loaded in every fork.
REPRESENTATIVE = {
    "sympy": "import sympy; x = sympy.Symbol('x'); sympy.solve(x**2 - 3*x + 2, x); sympy.simplify('(x**2-1)/(x-1)');"
    "sympy.integrate(x**2, x); sympy.factor(x**2 - 1); sympy.nsimplify(0.5); sympy.Matrix([[1, 2], [3, 4]]).inv();"
    "sympy.sqrt(8); sympy.factorint(360); str(sympy.Rational(1, 3)); sympy.latex(x**2); sympy.diff(sympy.sin(x), x)",
    "numpy": "import numpy; numpy.linalg.solve(numpy.eye(2), numpy.ones(2)); str(numpy.arange(3) / 2)",
    "scipy": "import scipy.optimize; scipy.optimize.brentq(lambda x: x - 1, 0, 3)",
    "random": "import random; random.seed(0)",
}


def fork(number: int) -> int:
    """A child of our own parent, by the system call ``number``; 0 in the child. OSError where the kernel refuses."""
    pid = int(libc.syscall(number, CLONE_PARENT | signal.SIGCHLD, 0, 0, 0, 0))
    if pid < 0:
        raise OSError(ctypes.get_errno(), "clone")
    return pid


def warm(modules: tuple[str, ...]) -> None:
    """Import the modules and make one representative call of each."""
    for name in modules:
        importlib.import_module(name)
    for name, code in REPRESENTATIVE.items():
        if name in modules:
            exec(code, {})
    if "numpy" in modules:
        sys.modules["numpy"].random.seed(0)


def bound(limits: Limits) -> None:
    """Limits that every fork inherits and none can raise. CPU seconds are set by the warden for each step."""
    with open("/proc/self/statm") as statm:
        virtual = int(statm.read().split()[0]) * resource.getpagesize()
    memory = virtual + limits.memory_mib * 2**20
    size = limits.scratch_mib * 2**20
    pairs = {
        resource.RLIMIT_AS: memory,
        resource.RLIMIT_NOFILE: limits.open_files,
        resource.RLIMIT_FSIZE: size,
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_MEMLOCK: 0,
    }
    for name, value in pairs.items():
        resource.setrlimit(name, (value, value))


def receive_fork() -> int:
    """Wait for the order to fork; returns the child's descriptor. Leaves the process when the warden is gone."""
    data, ancillary, _, _ = SOCK.recvmsg(1, 64)
    if not data:
        os._exit(0)
    for level, kind, raw in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            descriptors = array.array("i")
            descriptors.frombytes(raw[: len(raw) - len(raw) % descriptors.itemsize])
            return descriptors[0]
    os._exit(1)


def read_exactly(count: int) -> bytes:
    parts = []
    while count:
        part = os.read(CONTROL, count)
        if not part:
            os._exit(0)
        parts.append(part)
        count -= len(part)
    return b"".join(parts)


def write_all(data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(CONTROL, view) :]


def run_job(runner: interpreter.Interpreter) -> None:
    """Run the job's codes in order; report the last one, or the first that did not end well."""
    token = read_exactly(16)
    (size,) = struct.unpack(">I", read_exactly(4))
    job = json.loads(read_exactly(size))
    if job["own_group"]:
        os.setpgid(0, 0)
    os.chdir(job["cwd"])
    letter, body = interpreter.OK, b""
    for code in job["codes"]:
        letter, body = runner.run(code)
        if letter != interpreter.OK:
            break
    if letter == interpreter.OK and altered(job["cwd"]):
        letter = interpreter.OK_ALTERED
    os.chdir(NEUTRAL)
    write_all(token + struct.pack(">I", len(body)) + letter + body)


def altered(directory: str) -> bool:
    """Whether the program has done what a fork does not inherit or what we undo: moved elsewhere, set a timer."""
    timers = (signal.ITIMER_REAL, signal.ITIMER_VIRTUAL, signal.ITIMER_PROF)
    return os.getcwd() != directory or any(signal.getitimer(timer)[0] for timer in timers)


def serve(runner: interpreter.Interpreter) -> None:
    """Fork on demand, for ever. The child runs its job and then serves as a state in its turn."""
    prctl, number = libc.prctl, numbers().clone
    close, write, duplicate = os.close, os.write, os.dup2
    while True:
        descriptor = receive_fork()
        if fork(number):
            close(descriptor)
            write(CONTROL, FORKED)
            continue
        duplicate(descriptor, CONTROL)
        close(descriptor)
        prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        write(CONTROL, HELLO)
        run_job(runner)


def forget_the_service() -> None:
    """Nothing of ours stays importable or listed, and no place to import from but the libraries."""
    for name in [name for name in sys.modules if name.split(".")[0] == "actors"]:
        del sys.modules[name]
    roots = [sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")]
    sys.path[:] = [path for path in sys.path if any(path.startswith(root) for root in roots)]
    sys.path_importer_cache.clear()
    sys.meta_path[:] = [finder for finder in sys.meta_path if finder in (BuiltinImporter, FrozenImporter, PathFinder)]
    sys.argv[:] = [""]
    os.environ.pop("PYTHONPATH", None)


def hand_over(listener: int) -> None:
    """Give the warden the descriptor on which the kernel asks for us."""
    SOCK.sendmsg([b"L"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [listener]))])


def say(letter: bytes, text: str) -> None:
    body = text.encode("utf-8", "replace")
    write_all(letter + struct.pack(">I", len(body)) + body)


def prepare(limits: Limits, slots: list[str]) -> Lock:
    """Load, bound and lock this process, for itself and everything forked from it."""
    warm(limits.preload)
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    libc.prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0)
    bound(limits)
    locked = lock(limits.at_most, slots, hand_over)
    verify(locked.tier, slots[0])
    return locked


def main() -> None:
    limits, slots = Limits.from_json(sys.argv[2]), json.loads(sys.argv[3])
    try:
        locked = prepare(limits, slots)
    except Exception as error:  # noqa: BLE001 - the boundary: whatever went wrong is the warden's to report
        say(b"E", f"{type(error).__name__}: {error}")
        os._exit(2)
    runner = interpreter.Interpreter(limits.output_bytes)
    forget_the_service()
    runner.enter()
    gc.collect()
    gc.freeze()
    say(b"Z", json.dumps({"tier": locked.tier, "missing": locked.missing, "parts": locked.parts}))
    serve(runner)


if __name__ == "__main__":
    given = int(sys.argv[1])
    if given != CONTROL:
        os.dup2(given, CONTROL)
        os.close(given)
    SOCK = socket.socket(fileno=CONTROL)
    main()
