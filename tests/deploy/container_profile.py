"""Start the sandbox in a process under the seccomp profile of a container, and print the tier that it reaches.

``python container_profile.py [PROFILE.json]``: a profile in Docker's format, read for a container without capabilities.
Without one: everything is allowed but what containers forbid in general, new namespaces above all.
"""

from __future__ import annotations

import ctypes
import errno
import json
import sys
from pathlib import Path
from typing import Any

import pyseccomp

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from cluster.host.doctor import start_sandbox

CLONE_NEWUSER = 0x10000000
NAMESPACES = (0x00020000, 0x02000000, 0x04000000, 0x08000000, CLONE_NEWUSER, 0x20000000, 0x40000000)
FORBIDDEN = """
    unshare setns mount umount2 pivot_root chroot ptrace process_vm_readv process_vm_writev pidfd_getfd kcmp
    bpf perf_event_open keyctl add_key request_key userfaultfd io_uring_setup open_by_handle_at init_module finit_module
    mbind set_mempolicy quotactl reboot swapon acct
""".split()  # noqa: SIM905 - a list of words reads best as words
COMPARISONS = {f"SCMP_CMP_{name}": name for name in ("EQ", "NE", "LT", "LE", "GT", "GE")}


def general_filter() -> Any:
    """Return a filter that allows everything but ``FORBIDDEN`` and new namespaces."""
    result = pyseccomp.SyscallFilter(pyseccomp.ALLOW)
    for name in FORBIDDEN:
        result.add_rule(pyseccomp.ERRNO(errno.EPERM), name)
    for flag in NAMESPACES:
        result.add_rule(pyseccomp.ERRNO(errno.EPERM), "clone", pyseccomp.Arg(0, pyseccomp.MASKED_EQ, flag, flag))
    result.add_rule(pyseccomp.ERRNO(errno.ENOSYS), "clone3")
    return result


def profile_filter(profile: dict[str, Any]) -> Any:
    """Return the filter of a profile for x86-64 and a process without capabilities."""
    result = pyseccomp.SyscallFilter(pyseccomp.ERRNO(profile.get("defaultErrnoRet", errno.EPERM)))
    for rule in profile["syscalls"]:
        wanted, unwanted = rule.get("includes") or {}, rule.get("excludes") or {}
        if (
            wanted.get("caps")
            or "amd64" not in wanted.get("arches", ["amd64"])
            or "amd64" in unwanted.get("arches", [])
        ):
            continue
        is_allowed = rule["action"] == "SCMP_ACT_ALLOW"
        action = pyseccomp.ALLOW if is_allowed else pyseccomp.ERRNO(rule.get("errnoRet", errno.EPERM))
        arguments = [condition(entry) for entry in rule.get("args") or []]
        for name in rule["names"]:
            if pyseccomp.resolve_syscall(pyseccomp.Arch.NATIVE, name) >= 0:
                result.add_rule(action, name, *arguments)
    return result


def condition(entry: dict[str, Any]) -> Any:
    """Return the condition on one argument of a call."""
    if entry["op"] == "SCMP_CMP_MASKED_EQ":
        return pyseccomp.Arg(entry["index"], pyseccomp.MASKED_EQ, entry["value"], entry.get("valueTwo", 0))
    return pyseccomp.Arg(entry["index"], getattr(pyseccomp, COMPARISONS[entry["op"]]), entry["value"])


def main(arguments: list[str]) -> None:
    profile = json.loads(Path(arguments[0]).read_text(encoding="utf-8")) if arguments else None
    (general_filter() if profile is None else profile_filter(profile)).load()
    libc = ctypes.CDLL(None, use_errno=True)
    has_namespaces = libc.unshare(CLONE_NEWUSER) == 0
    print(json.dumps({**start_sandbox(), "user_namespaces": has_namespaces}))


if __name__ == "__main__":
    main(sys.argv[1:])
