"""The warm interpreter: loads modules once, then every step and every kept state is a fork of it or of its forks.

It talks on one socket with the fork server, its parent. It is started as a fresh interpreter, never forked from a
process with threads. A fork is a bare ``clone`` with CLONE_PARENT: all steps are children of the fork server,
whichever process forked them, and no at-fork hook runs, so ``random`` continues from the parent's state.

    fork server -> zygote or state    one byte and a descriptor: fork, and let the child talk on that descriptor
    child  -> fork server             HELLO; reads its job; result frame; then waits as a state for forks of its own
    parent -> fork server             FORKED, when the parent's copy of the descriptor is closed
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

from actors.sandbox import verdicts
from actors.sandbox.jail.interpreter import Interpreter
from actors.sandbox.jail.lockdown import Confinement, confine, verify_confinement
from actors.sandbox.limits import Limits
from actors.sandbox.linux import CLONE_PARENT, PR_SET_PDEATHSIG, PR_SET_THP_DISABLE, libc, syscall_numbers

CONTROL = 3  # the descriptor of the socket to the fork server
FORK = b"f"  # kinds of messages: from the fork server
HELLO, FORKED = b"H", b"F"  # from a child, from its parent
LISTENER, READY, FAILED = b"L", b"Z", b"E"  # from the zygote while it starts
NEUTRAL_DIR = "/"  # where a process stands between jobs

# Typical calls of each module: what it loads or builds on first use is then loaded in every fork.
WARM_UP_CODE = {
    "sympy": "import sympy; x = sympy.Symbol('x'); sympy.solve(x**2 - 3*x + 2, x); sympy.simplify('(x**2-1)/(x-1)');"
    "sympy.integrate(x**2, x); sympy.factor(x**2 - 1); sympy.nsimplify(0.5); sympy.Matrix([[1, 2], [3, 4]]).inv();"
    "sympy.sqrt(8); sympy.factorint(360); str(sympy.Rational(1, 3)); sympy.latex(x**2); sympy.diff(sympy.sin(x), x)",
    "numpy": "import numpy; numpy.linalg.solve(numpy.eye(2), numpy.ones(2)); str(numpy.arange(3) / 2)",
    "scipy": "import scipy.optimize; scipy.optimize.brentq(lambda x: x - 1, 0, 3)",
    "random": "import random; random.seed(0)",
}


def fork(number: int) -> int:
    """Fork a child of our own parent by the system call ``number``. Return its pid, or 0 in the child.

    Raise OSError where the kernel refuses.
    """
    pid = int(libc.syscall(number, CLONE_PARENT | signal.SIGCHLD, 0, 0, 0, 0))
    if pid < 0:
        raise OSError(ctypes.get_errno(), "clone")
    return pid


def load_modules(modules: tuple[str, ...]) -> None:
    """Import the modules and make typical calls of each."""
    for name in modules:
        importlib.import_module(name)
    for name, code in WARM_UP_CODE.items():
        if name in modules:
            exec(code, {})
    if "numpy" in modules:
        sys.modules["numpy"].random.seed(0)


def set_resource_limits(limits: Limits) -> None:
    """Set limits that every fork inherits and none can raise. The fork server watches each step's processor time."""
    with open("/proc/self/statm") as statm:
        virtual = int(statm.read().split()[0]) * resource.getpagesize()
    memory = virtual + limits.memory_mib * 2**20
    file_size = limits.scratch_file_mib * 2**20
    pairs = {
        resource.RLIMIT_AS: memory,
        resource.RLIMIT_NOFILE: limits.open_files,
        resource.RLIMIT_FSIZE: file_size,
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_MEMLOCK: 0,
    }
    for name, value in pairs.items():
        resource.setrlimit(name, (value, value))


def receive_fork_order() -> int:
    """Wait for an order to fork and return the child's descriptor. Exit when the fork server is gone."""
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


def run_job(program: Interpreter) -> None:
    """Run the job's codes in order. Report the last one, or the first that did not end well."""
    token = read_exactly(16)
    (size,) = struct.unpack(">I", read_exactly(4))
    job = json.loads(read_exactly(size))
    if job["own_group"]:
        os.setpgid(0, 0)
    os.chdir(job["cwd"])
    verdict, body = verdicts.OK, b""
    for code in job["codes"]:
        verdict, body = program.run(code)
        if verdict != verdicts.OK:
            break
    if verdict == verdicts.OK and is_altered(job["cwd"]):
        verdict = verdicts.OK_ALTERED
    os.chdir(NEUTRAL_DIR)
    write_all(token + struct.pack(">I", len(body)) + verdict + body)


def is_altered(directory: str) -> bool:
    """Return True if the program did what a fork does not inherit or what we undo: changed directory, set a timer."""
    timers = (signal.ITIMER_REAL, signal.ITIMER_VIRTUAL, signal.ITIMER_PROF)
    return os.getcwd() != directory or any(signal.getitimer(timer)[0] for timer in timers)


def serve(program: Interpreter) -> None:
    """Fork on demand, for ever. The child runs its job and then serves as a state in its turn."""
    prctl, number = libc.prctl, syscall_numbers().clone
    close, write, duplicate = os.close, os.write, os.dup2
    while True:
        descriptor = receive_fork_order()
        if fork(number):
            close(descriptor)
            write(CONTROL, FORKED)
            continue
        duplicate(descriptor, CONTROL)
        close(descriptor)
        prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        write(CONTROL, HELLO)
        run_job(program)


def hide_sandbox_modules() -> None:
    """Leave nothing of the sandbox importable or listed, and no place to import from but the libraries."""
    for name in [name for name in sys.modules if name.split(".")[0] == "actors"]:
        del sys.modules[name]
    roots = [sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")]
    sys.path[:] = [path for path in sys.path if any(path.startswith(root) for root in roots)]
    sys.path_importer_cache.clear()
    sys.meta_path[:] = [finder for finder in sys.meta_path if finder in (BuiltinImporter, FrozenImporter, PathFinder)]
    sys.argv[:] = [""]
    os.environ.pop("PYTHONPATH", None)


def send_listener(listener: int) -> None:
    """Give the fork server the descriptor on which the kernel asks about our system calls."""
    SOCK.sendmsg([LISTENER], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [listener]))])


def send_message(kind: bytes, text: str) -> None:
    body = text.encode("utf-8", "replace")
    write_all(kind + struct.pack(">I", len(body)) + body)


def prepare(limits: Limits, scratch_dirs: list[str]) -> Confinement:
    """Load modules, set limits and confine this process, for itself and everything forked from it."""
    load_modules(limits.preload)
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    libc.prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0)
    set_resource_limits(limits)
    confinement = confine(limits.max_tier, scratch_dirs, send_listener)
    verify_confinement(confinement.tier, scratch_dirs[0])
    return confinement


def main() -> None:
    limits, scratch_dirs = Limits.from_json(sys.argv[2]), json.loads(sys.argv[3])
    try:
        confinement = prepare(limits, scratch_dirs)
    except Exception as error:  # noqa: BLE001 - the boundary: the fork server reports whatever went wrong
        send_message(FAILED, f"{type(error).__name__}: {error}")
        os._exit(2)
    program = Interpreter(limits.output_bytes)
    hide_sandbox_modules()
    program.enter()
    gc.collect()
    gc.freeze()
    tier, missing, parts = confinement.tier, confinement.missing, confinement.parts
    send_message(READY, json.dumps({"tier": tier, "missing": missing, "parts": parts}))
    serve(program)


if __name__ == "__main__":
    descriptor = int(sys.argv[1])
    if descriptor != CONTROL:
        os.dup2(descriptor, CONTROL)
        os.close(descriptor)
    SOCK = socket.socket(fileno=CONTROL)
    main()
