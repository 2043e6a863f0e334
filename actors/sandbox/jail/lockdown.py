"""What the interpreter gives up before the first step, for itself and all its forks: Landlock, seccomp, capabilities.

Runs once, in the zygote, so a step pays nothing for it. Returns what is in force and why it is not more. The policy is
here; compiling and loading it is the libraries' business (``landlock``, ``pyseccomp``).
"""

from __future__ import annotations

import ctypes
import errno
import importlib
import os
import signal
import socket
import sysconfig
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from actors.sandbox import linux
from actors.sandbox.limits import Tier

SHARED_LIBRARIES = ("/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/local/lib", "/etc/ld.so.cache")
HARMLESS = ("/dev/urandom", "/dev/zero", "/usr/share/zoneinfo")

CALLS = """
    read write readv writev pread64 pwrite64 lseek close close_range dup dup2 dup3 recvmsg
    fstat newfstatat stat lstat statx access faccessat faccessat2 getdents64 getcwd chdir fchdir
    munmap mprotect mremap brk madvise membarrier
    rt_sigaction rt_sigprocmask rt_sigreturn rt_sigtimedwait sigaltstack pause restart_syscall
    alarm setitimer getitimer nanosleep clock_nanosleep clock_gettime clock_getres gettimeofday time times
    select pselect6 poll ppoll futex sched_yield sched_getaffinity getcpu rseq set_robust_list set_tid_address
    getpid getppid gettid getuid geteuid getgid getegid getresuid getresgid getgroups getpgrp getpgid getsid
    getrlimit setrlimit getrusage sysinfo uname getrandom exit exit_group
""".split()  # noqa: SIM905 - a list of words reads best as words
CALLS_ON_SCRATCH = ["rename", "renameat", "renameat2", "unlink", "unlinkat", "ftruncate", "fallocate", "flock"]

TTY_AND_CLOSE_ON_EXEC = (0x5401, 0x5450, 0x5451)  # TCGETS, FIONCLEX, FIOCLEX
FCNTL = (0, 1, 2, 3, 5, 6, 7, 1030)  # F_DUPFD, GETFD, SETFD, GETFL, GETLK, SETLK, SETLKW, DUPFD_CLOEXEC
PRCTL = (15, 16, 0x53564D41)  # PR_SET_NAME, PR_GET_NAME, PR_SET_VMA
MAP_TYPE, MAP_PRIVATE = 0x0F, 0x02
O_TMPFILE = 0o20000000


@dataclass(frozen=True, slots=True)
class Lock:
    """The tier in force; ``missing`` says why it is not a higher one, and how it could be."""

    tier: Tier
    missing: tuple[str, ...] = ()
    parts: tuple[str, ...] = field(default=())


def lock(at_most: Tier, slots: list[str], hand_over: Callable[[int], None]) -> Lock:
    """Confine this process for good. ``hand_over`` is given the descriptor on which forks and files are asked for."""
    missing: list[str] = []
    parts: list[str] = []
    linux.libc.prctl(linux.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    parts.append("no_new_privs")
    if at_most is Tier.NONE:
        return Lock(Tier.NONE, ("turned off by executor.at_most",), tuple(parts))
    linux.drop_capabilities()
    parts.append("no capabilities")
    filters = attempt(lambda: importlib.import_module("pyseccomp"), "seccomp", missing)  # looks for files: first
    files = at_most is Tier.STRICT and attempt(lambda: confine_files(slots), "Landlock", missing)
    calls = filters and attempt(lambda: filter_calls(files, hand_over), "seccomp", missing)
    parts += ["Landlock"] * files + ["seccomp"] * calls
    tier = Tier.STRICT if files and calls else Tier.BASIC if calls else Tier.NONE
    return Lock(tier, tuple(missing), tuple(parts))


REMEDIES = {
    "Landlock": "needs Linux 5.13 or newer with landlock among its security modules (boot option lsm=landlock,…)",
    "seccomp": "needs Linux 5.5 or newer and the system library libseccomp 2.5 or newer",
}


def attempt(action: Callable[[], object], name: str, missing: list[str]) -> bool:
    """Whether ``action`` succeeded; else the reason and the remedy go to ``missing``."""
    try:
        action()
    except Exception as error:  # noqa: BLE001 - the boundary: whatever fails is a reason for a lower tier
        reason = " ".join(str(error).split()) or type(error).__name__
        missing.append(f"no {name}: {reason}; {REMEDIES[name]}")
        return False
    return True


def readable() -> list[str]:
    """The standard library, site-packages, shared libraries: what a step may read."""
    names = ("stdlib", "platstdlib", "purelib", "platlib")
    libraries = {sysconfig.get_path(name) for name in names}
    return [path for path in (*sorted(libraries), *SHARED_LIBRARIES, *HARMLESS) if Path(path).exists()]


def confine_files(slots: list[str]) -> None:
    """Landlock: read the libraries; in a scratch slot make, read, write and remove plain files; nothing else."""
    # optional parts, imported late: without them the tier is lower, the start not impossible
    from landlock import FSAccess, Ruleset  # type: ignore[import-untyped]

    ctypes.set_errno(0)
    rules = Ruleset(restrict_rules=FSAccess.all())
    for path in readable():
        directory = FSAccess.READ_DIR if os.path.isdir(path) else FSAccess(0)
        rules.allow(path, rules=FSAccess.READ_FILE | directory)
    rules.allow("/dev/null", rules=FSAccess.READ_FILE | FSAccess.WRITE_FILE)
    files = FSAccess.READ_FILE | FSAccess.WRITE_FILE | FSAccess.MAKE_REG | FSAccess.REMOVE_FILE | FSAccess.READ_DIR
    for slot in slots:
        rules.allow(slot, rules=files | (FSAccess.TRUNCATE & rules.restrict_rules))
    rules.apply()
    os.close(rules._fd)


def filter_calls(scratch: bool, hand_over: Callable[[int], None]) -> None:
    """Two seccomp filters: forks, threads and new files ask the warden; of all calls only those named are possible."""
    import pyseccomp  # type: ignore[import-untyped]

    asking = pyseccomp.SyscallFilter(pyseccomp.ALLOW)
    asking.add_rule(pyseccomp.NOTIFY, "clone")
    creates = pyseccomp.Arg(2, pyseccomp.MASKED_EQ, os.O_CREAT, os.O_CREAT)
    asking.add_rule(pyseccomp.NOTIFY, "openat", creates)
    asking.load()
    listener = pyseccomp._libseccomp.seccomp_notify_fd(asking._filter)
    if listener < 0:
        raise OSError(-listener, "no descriptor for notifications")
    hand_over(listener)
    os.close(listener)
    allowed_calls(pyseccomp, scratch).load()


def allowed_calls(api: Any, scratch: bool) -> Any:
    """The filter of what is possible, made with ``pyseccomp``; everything else fails with EPERM."""
    made = api.SyscallFilter(api.ERRNO(errno.EPERM))
    made.set_attr(api.Attr.ACT_BADARCH, api.KILL_PROCESS)

    def allow(name: str, *conditions: tuple[int, int, int]) -> None:
        """Allow a call where each (argument, mask, value) holds; calls that the architecture lacks are left out."""
        if api.resolve_syscall(api.Arch.NATIVE, name) < 0:
            return
        arguments = [api.Arg(n, api.MASKED_EQ, mask, value) for n, mask, value in conditions]
        made.add_rule(api.ALLOW, name, *arguments)

    word = 0xFFFFFFFF
    for name in CALLS + (CALLS_ON_SCRATCH if scratch else []):
        allow(name)
    allow("clone", (0, linux.CLONE_NAMESPACES, 0))
    allow("mmap", (3, MAP_TYPE, MAP_PRIVATE))
    allow("prlimit64", (0, word, 0))
    allow("prctl", (0, word, linux.PR_SET_PDEATHSIG), (1, word, signal.SIGKILL))
    for option in PRCTL:
        allow("prctl", (0, word, option))
    for request in TTY_AND_CLOSE_ON_EXEC:
        allow("ioctl", (1, word, request))
    for command in FCNTL:
        allow("fcntl", (1, word, command))
    reading = os.O_ACCMODE | os.O_TRUNC | O_TMPFILE
    if scratch:
        allow("openat", (2, reading, os.O_RDONLY))
        allow("openat", (2, os.O_ACCMODE | O_TMPFILE, os.O_WRONLY))
        allow("openat", (2, os.O_ACCMODE | O_TMPFILE, os.O_RDWR))
    else:
        allow("openat", (2, reading | os.O_CREAT, os.O_RDONLY))
    for name in ("clone3", "openat2"):  # their arguments lie in memory: the caller falls back to the older call
        made.add_rule(api.ERRNO(errno.ENOSYS), name)
    for name in ("readlink", "readlinkat"):
        if api.resolve_syscall(api.Arch.NATIVE, name) >= 0:
            made.add_rule(api.ERRNO(errno.EINVAL), name)
    return made


def verify(tier: Tier, slot: str) -> None:
    """Try what must fail at this tier. RuntimeError when something succeeds."""
    if tier is Tier.NONE:
        return
    must_fail: list[Callable[[], object]] = [socket.socket, lambda: os.kill(os.getpid(), 0)]
    if tier is Tier.STRICT:
        must_fail += [lambda: os.open("/proc/self/environ", os.O_RDONLY), lambda: os.listdir(os.path.dirname(slot))]
    for action in must_fail:
        try:
            action()
        except PermissionError:
            continue
        raise RuntimeError("the sandbox does not hold: a forbidden call succeeded when it was tried at the start")
