"""Confine the interpreter and all its forks before the first step: Landlock, seccomp, capabilities.

Runs once, in the zygote, so a step pays nothing for it. The policy is here. The libraries ``landlock`` and
``pyseccomp`` compile and load it.
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
HARMLESS_PATHS = ("/dev/urandom", "/dev/zero", "/usr/share/zoneinfo")

ALLOWED_CALLS = """
    read write readv writev pread64 pwrite64 lseek close close_range dup dup2 dup3 recvmsg
    fstat newfstatat stat lstat statx access faccessat faccessat2 getdents64 getcwd chdir fchdir
    munmap mprotect mremap brk madvise membarrier
    rt_sigaction rt_sigprocmask rt_sigreturn rt_sigtimedwait sigaltstack pause restart_syscall
    alarm setitimer getitimer nanosleep clock_nanosleep clock_gettime clock_getres gettimeofday time times
    select pselect6 poll ppoll futex sched_yield sched_getaffinity getcpu rseq set_robust_list set_tid_address
    getpid getppid gettid getuid geteuid getgid getegid getresuid getresgid getgroups getpgrp getpgid getsid
    getrlimit setrlimit getrusage sysinfo uname getrandom exit exit_group
""".split()  # noqa: SIM905 - a list of words reads best as words
SCRATCH_CALLS = ["rename", "renameat", "renameat2", "unlink", "unlinkat", "ftruncate", "fallocate", "flock"]

IOCTL_REQUESTS = (0x5401, 0x5450, 0x5451)  # TCGETS, FIONCLEX, FIOCLEX
FCNTL_COMMANDS = (0, 1, 2, 3, 5, 6, 7, 1030)  # F_DUPFD, GETFD, SETFD, GETFL, GETLK, SETLK, SETLKW, DUPFD_CLOEXEC
PRCTL_OPTIONS = (15, 16, 0x53564D41)  # PR_SET_NAME, PR_GET_NAME, PR_SET_VMA
MAP_TYPE, MAP_PRIVATE = 0x0F, 0x02
O_TMPFILE = 0o20000000


@dataclass(frozen=True, slots=True)
class Confinement:
    """The tier in force, why it is not higher and what would help (``missing``), and the means in use (``parts``)."""

    tier: Tier
    missing: tuple[str, ...] = ()
    parts: tuple[str, ...] = field(default=())


def confine(max_tier: Tier, scratch_dirs: list[str], send_listener: Callable[[int], None]) -> Confinement:
    """Confine this process for good, as far as ``max_tier`` and the machine allow. Return what is in force.

    ``send_listener`` gets the descriptor on which the kernel asks about forks, threads and new files.
    """
    missing: list[str] = []
    parts: list[str] = []
    linux.libc.prctl(linux.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    parts.append("no_new_privs")
    if max_tier is Tier.NONE:
        return Confinement(Tier.NONE, ("turned off by executor.max_tier",), tuple(parts))
    linux.drop_capabilities()
    parts.append("no capabilities")
    # Landlock would hide the library's files: pyseccomp is imported before
    can_filter = attempt(lambda: importlib.import_module("pyseccomp"), "seccomp", missing)
    files = max_tier is Tier.STRICT and attempt(lambda: confine_files(scratch_dirs), "Landlock", missing)
    calls = can_filter and attempt(lambda: filter_calls(files, send_listener), "seccomp", missing)
    parts += ["Landlock"] * files + ["seccomp"] * calls
    tier = Tier.STRICT if files and calls else Tier.BASIC if calls else Tier.NONE
    return Confinement(tier, tuple(missing), tuple(parts))


REMEDIES = {
    "Landlock": "needs Linux 5.13 or newer with landlock among its security modules (boot option lsm=landlock,…)",
    "seccomp": "needs Linux 5.5 or newer and the system library libseccomp 2.5 or newer",
}


def attempt(action: Callable[[], object], name: str, missing: list[str]) -> bool:
    """Return True if ``action`` succeeds. Otherwise append the reason and the remedy to ``missing``."""
    try:
        action()
    except Exception as error:  # noqa: BLE001 - the boundary: whatever fails is a reason for a lower tier
        reason = " ".join(str(error).split()) or type(error).__name__
        missing.append(f"no {name}: {reason}; {REMEDIES[name]}")
        return False
    return True


def readable_paths() -> list[str]:
    """Return what a step may read: the standard library, site-packages, shared libraries."""
    names = ("stdlib", "platstdlib", "purelib", "platlib")
    libraries = {sysconfig.get_path(name) for name in names}
    return [path for path in (*sorted(libraries), *SHARED_LIBRARIES, *HARMLESS_PATHS) if Path(path).exists()]


def confine_files(scratch_dirs: list[str]) -> None:
    """Allow by Landlock: reading the libraries; making, reading, writing and removing plain files in scratch."""
    # optional parts, imported late: without them the tier is lower, the start not impossible
    from landlock import FSAccess, Ruleset  # type: ignore[import-untyped]

    ctypes.set_errno(0)
    rules = Ruleset(restrict_rules=FSAccess.all())
    for path in readable_paths():
        directory = FSAccess.READ_DIR if os.path.isdir(path) else FSAccess(0)
        rules.allow(path, rules=FSAccess.READ_FILE | directory)
    rules.allow("/dev/null", rules=FSAccess.READ_FILE | FSAccess.WRITE_FILE)
    files = FSAccess.READ_FILE | FSAccess.WRITE_FILE | FSAccess.MAKE_REG | FSAccess.REMOVE_FILE | FSAccess.READ_DIR
    for path in scratch_dirs:
        rules.allow(path, rules=files | (FSAccess.TRUNCATE & rules.restrict_rules))
    rules.apply()
    os.close(rules._fd)


def filter_calls(scratch: bool, send_listener: Callable[[int], None]) -> None:
    """Load two seccomp filters.

    The first lets the kernel ask the fork server about forks, threads and new files. The second forbids every call
    that is not allowed by name.
    """
    import pyseccomp  # type: ignore[import-untyped]

    notifying = pyseccomp.SyscallFilter(pyseccomp.ALLOW)
    notifying.add_rule(pyseccomp.NOTIFY, "clone")
    creates = pyseccomp.Arg(2, pyseccomp.MASKED_EQ, os.O_CREAT, os.O_CREAT)
    notifying.add_rule(pyseccomp.NOTIFY, "openat", creates)
    notifying.load()
    listener = pyseccomp._libseccomp.seccomp_notify_fd(notifying._filter)
    if listener < 0:
        raise OSError(-listener, "no descriptor for notifications")
    send_listener(listener)
    os.close(listener)
    allow_list(pyseccomp, scratch).load()


def allow_list(api: Any, scratch: bool) -> Any:
    """Return the filter of allowed calls, made with ``pyseccomp``. Every other call fails with EPERM."""
    filter_ = api.SyscallFilter(api.ERRNO(errno.EPERM))
    filter_.set_attr(api.Attr.ACT_BADARCH, api.KILL_PROCESS)

    def allow(name: str, *conditions: tuple[int, int, int]) -> None:
        """Allow a call where each (argument, mask, value) holds; calls that the architecture lacks are left out."""
        if api.resolve_syscall(api.Arch.NATIVE, name) < 0:
            return
        arguments = [api.Arg(n, api.MASKED_EQ, mask, value) for n, mask, value in conditions]
        filter_.add_rule(api.ALLOW, name, *arguments)

    word = 0xFFFFFFFF
    for name in ALLOWED_CALLS + (SCRATCH_CALLS if scratch else []):
        allow(name)
    allow("clone", (0, linux.CLONE_NAMESPACES, 0))
    allow("mmap", (3, MAP_TYPE, MAP_PRIVATE))
    allow("prlimit64", (0, word, 0))
    allow("prctl", (0, word, linux.PR_SET_PDEATHSIG), (1, word, signal.SIGKILL))
    for option in PRCTL_OPTIONS:
        allow("prctl", (0, word, option))
    for request in IOCTL_REQUESTS:
        allow("ioctl", (1, word, request))
    for command in FCNTL_COMMANDS:
        allow("fcntl", (1, word, command))
    reading = os.O_ACCMODE | os.O_TRUNC | O_TMPFILE
    if scratch:
        allow("openat", (2, reading, os.O_RDONLY))
        allow("openat", (2, os.O_ACCMODE | O_TMPFILE, os.O_WRONLY))
        allow("openat", (2, os.O_ACCMODE | O_TMPFILE, os.O_RDWR))
    else:
        allow("openat", (2, reading | os.O_CREAT, os.O_RDONLY))
    for name in ("clone3", "openat2"):  # their arguments lie in memory: the caller falls back to the older call
        filter_.add_rule(api.ERRNO(errno.ENOSYS), name)
    for name in ("readlink", "readlinkat"):
        if api.resolve_syscall(api.Arch.NATIVE, name) >= 0:
            filter_.add_rule(api.ERRNO(errno.EINVAL), name)
    return filter_


def verify_confinement(tier: Tier, scratch_dir: str) -> None:
    """Try what must fail at this tier. Raise RuntimeError when something succeeds."""
    if tier is Tier.NONE:
        return
    must_fail: list[Callable[[], object]] = [socket.socket, lambda: os.kill(os.getpid(), 0)]
    if tier is Tier.STRICT:
        must_fail += [
            lambda: os.open("/proc/self/environ", os.O_RDONLY),
            lambda: os.listdir(os.path.dirname(scratch_dir)),
        ]
    for action in must_fail:
        try:
            action()
        except PermissionError:
            continue
        raise RuntimeError("the sandbox does not hold: a forbidden call succeeded when it was tried at the start")
