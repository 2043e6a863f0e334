"""Define what the sandbox's processes share as plain data: limits, isolation tiers, keys. Standard library only."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from enum import StrEnum
from hashlib import blake2b


class Tier(StrEnum):
    """How far a step is isolated from the machine. Ordered: ``none`` < ``basic`` < ``strict``."""

    NONE = "none"  # a process of its own with resource limits, nothing more
    BASIC = "basic"  # and system calls filtered: no network, no processes, no signals, no writing
    STRICT = "strict"  # and files confined: libraries to read, one scratch directory to write, nothing else

    @property
    def rank(self) -> int:
        return list(Tier).index(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The bounds of a step and of the fork server. Times in seconds, sizes in the unit that the name ends in."""

    cpu_seconds: float = 2.0
    wall_seconds: float = 6.0
    memory_mib: int = 512
    output_bytes: int = 16_384
    code_bytes: int = 262_144
    threads: int = 1
    open_files: int = 32
    scratch_files: int = 16
    scratch_file_mib: int = 1
    concurrency: int = 1
    live_states: int = 64
    live_states_mib: int = 512
    replay_forks: float = 0.0
    evaluate_arithmetic: bool = False
    preload: tuple[str, ...] = ()
    max_tier: Tier = Tier.STRICT

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Limits:
        values = json.loads(text)
        names = {field.name for field in fields(cls)}
        values = {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}
        values["max_tier"] = Tier(values["max_tier"])
        return cls(**{name: value for name, value in values.items() if name in names})


ROOT_KEY = b""  # of the empty program


def prefix_keys(codes: tuple[str, ...], start: bytes = ROOT_KEY) -> tuple[bytes, ...]:
    """Return the key of the state after each code: a hash of all codes up to it, in order."""
    keys = []
    for code in codes:
        start = blake2b(start + b"\x00" + code.encode("utf-8", "surrogatepass"), digest_size=16).digest()
        keys.append(start)
    return tuple(keys)
