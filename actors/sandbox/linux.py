"""Define numbers and calls of the Linux kernel that our libraries lack. Standard library only."""

from __future__ import annotations

import ctypes
import platform
from dataclasses import dataclass

PR_SET_PDEATHSIG, PR_SET_NO_NEW_PRIVS, PR_CAPBSET_DROP, PR_SET_THP_DISABLE = 1, 38, 24, 41
PR_SET_CHILD_SUBREAPER = 36
CLONE_THREAD, CLONE_PARENT = 0x10000, 0x8000
CLONE_NAMESPACES = 0x7E020080  # every CLONE_NEW* flag
NOTIFY_RECEIVE, NOTIFY_RESPOND, NOTIFY_SET_FLAGS = 0xC0502100, 0xC0182101, 0x40082104
NOTIFY_SYNC_WAKE_UP, NOTIFY_CONTINUE = 1, 1
CAPABILITY_VERSION_3, LAST_CAPABILITY = 0x20080522, 63


@dataclass(frozen=True, slots=True)
class SyscallNumbers:
    """System call numbers of one architecture."""

    clone: int
    openat: int


SYSCALL_NUMBERS = {
    "x86_64": SyscallNumbers(clone=56, openat=257),
    "aarch64": SyscallNumbers(clone=220, openat=56),
}

libc = ctypes.PyDLL(None, use_errno=True)  # keeps the interpreter lock: the child of a clone must hold it
libc.syscall.restype = ctypes.c_long


def syscall_numbers() -> SyscallNumbers:
    """Return the numbers of this machine's architecture. Raise OSError where the sandbox does not support it."""
    machine = platform.machine()
    if machine not in SYSCALL_NUMBERS:
        raise OSError(f"the sandbox does not support the architecture {machine}: x86_64 or aarch64")
    return SYSCALL_NUMBERS[machine]


def drop_capabilities() -> None:
    """Drop every capability, those included that an exec could bring back. A process without any is no error."""
    for capability in range(LAST_CAPABILITY + 1):
        libc.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0)
    header = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION_3, 0)
    none = (ctypes.c_uint32 * 6)()
    if libc.capset(header, none):
        raise OSError(ctypes.get_errno(), "capset")
