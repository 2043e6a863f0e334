"""``raystar doctor --node``: commands, token and environment of a node, on made-up ones, and the whole on this machine."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from cluster.cli import main
from cluster.host import node_checks
from cluster.host.doctor import Level

BIN = Path(sys.prefix) / "bin"


def test_commands_are_ok_when_both_are_of_this_environment() -> None:
    check = node_checks.check_commands(lambda name: str(BIN / name))
    assert (check.level, check.state) == (Level.OK, f"ray and raystar in {BIN}")


def test_commands_are_a_problem_when_a_job_would_not_find_them() -> None:
    check = node_checks.check_commands(lambda name: str(BIN / name) if name == "ray" else None)
    assert (check.level, check.state) == (Level.PROBLEM, "no raystar on the PATH")
    assert str(BIN) in check.remedy


def test_commands_of_another_environment_are_a_problem() -> None:
    check = node_checks.check_commands(lambda name: f"/usr/bin/{name}")
    assert check.level is Level.PROBLEM
    assert "/usr/bin/ray and /usr/bin/raystar: of another environment" in check.state


@pytest.mark.parametrize(("mode", "state"), [({}, "not set"), ({"RAY_AUTH_MODE": "disabled"}, "disabled")])
def test_token_is_a_warning_when_ray_asks_for_none(mode: dict[str, str], state: str, tmp_path: Path) -> None:
    check = node_checks.check_token(mode, tmp_path)
    assert (check.level, check.state) == (Level.WARNING, f"RAY_AUTH_MODE is {state}")


def test_token_is_a_problem_when_there_is_none(tmp_path: Path) -> None:
    check = node_checks.check_token({"RAY_AUTH_MODE": "token"}, tmp_path)
    assert check.level is Level.PROBLEM
    assert str(tmp_path / ".ray" / "auth_token") in check.state


@pytest.mark.parametrize(("mode", "level"), [(0o600, Level.OK), (0o640, Level.WARNING), (0o644, Level.WARNING)])
def test_token_is_ok_when_only_its_owner_reads_it(mode: int, level: Level, tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text("secret")
    path.chmod(mode)
    check = node_checks.check_token({"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": str(path)}, tmp_path / "home")
    assert check.level is level
    assert "secret" not in check.state + check.remedy


def test_token_in_a_variable_is_ok_and_not_shown(tmp_path: Path) -> None:
    check = node_checks.check_token({"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": "secret"}, tmp_path)
    assert (check.level, check.state) == (Level.OK, "in RAY_AUTH_TOKEN")


def test_environment_is_a_warning_when_it_slows_or_shows_gpus() -> None:
    check = node_checks.check_environment({"OMP_NUM_THREADS": "1"}, has_gpus=True)
    assert check.level is Level.WARNING
    assert "OMP_NUM_THREADS is 1" in check.remedy
    assert "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO=1" in check.remedy


def test_environment_is_ok_when_nothing_is_inherited() -> None:
    assert node_checks.check_environment({}, has_gpus=False).level is Level.OK
    assert node_checks.check_environment({"RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "1"}, has_gpus=True).level is Level.OK


def test_dry_run_names_the_checks_of_a_node(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--node", "--dry-run"]) == 0
    text = capsys.readouterr().out
    assert "isolation, commands, token, environment" in text
    assert "Ray cluster" not in text


@pytest.mark.slow
def test_doctor_checks_this_machine_as_a_node(capsys: pytest.CaptureFixture[str]) -> None:
    main(["doctor", "--node"])
    names = [line.split()[1].rstrip(":") for line in capsys.readouterr().out.splitlines()]
    assert names[-4:] == ["isolation", "commands", "token", "environment"]
