"""A cluster is joined in its own mode of authentication and version, or refused in one line that says what differs."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys

import pytest

from cluster.host import joining
from cluster.host.joining import AUTH_MODE, TOKEN_MISSING, ClusterAnswer, check_cluster, check_versions, choose_mode
from search.errors import UserError

OPEN = ClusterAnswer(mode="disabled", ray="2.60.0", python="3.11.9")
WITH_TOKEN = ClusterAnswer(
    mode="token", refusals={"disabled": "InvalidAuthToken: missing"}, ray="2.60.0", python="3.11.9"
)


@pytest.mark.parametrize(("answer", "mode"), [(OPEN, "disabled"), (WITH_TOKEN, "token")])
def test_mode_is_the_clusters_when_none_is_wanted(answer: ClusterAnswer, mode: str) -> None:
    assert choose_mode("h:1", answer, None) == mode
    assert choose_mode("h:1", answer, mode.upper()) == mode


def test_other_mode_is_refused_when_the_user_sets_one() -> None:
    with pytest.raises(UserError, match="has no token, but RAY_AUTH_MODE=token is set here: unset it"):
        choose_mode("h:1", OPEN, "token")
    with pytest.raises(UserError, match="asks for a token, but RAY_AUTH_MODE=disabled is set here"):
        choose_mode("h:1", WITH_TOKEN, "disabled")


@pytest.mark.parametrize(
    ("refusals", "reason"),
    [
        ({"disabled": "InvalidAuthToken", "token": TOKEN_MISSING}, "asks for a token, and there is none here"),
        (
            {"disabled": "InvalidAuthToken", "token": "InvalidAuthToken"},
            "asks for a token, and the one here is another",
        ),
        ({"disabled": "Deadline Exceeded", "token": TOKEN_MISSING}, "cannot join Ray at h:1: Deadline Exceeded"),
        ({}, "cannot join Ray at h:1: it did not answer"),
    ],
)
def test_cluster_that_refuses_is_told_by_its_reason(refusals: dict[str, str], reason: str) -> None:
    with pytest.raises(UserError, match=reason):
        choose_mode("h:1", ClusterAnswer(refusals=refusals), None)


def test_versions_must_be_the_same_but_for_pythons_patch() -> None:
    check_versions("h:1", OPEN, "2.60.0", "3.11.2")
    for ray, python in (("2.59.0", "3.11.9"), ("2.60.0", "3.12.9")):
        with pytest.raises(UserError, match=r"it runs Ray 2\.60\.0 on Python 3\.11\.9, here is Ray"):
            check_versions("h:1", OPEN, ray, python)


@pytest.mark.parametrize("address", ["head", "head:port", ":6379", "head:0", "ray://head:10001"])
def test_address_of_no_cluster_is_refused_before_asking(address: str) -> None:
    with pytest.raises(UserError, match="--address"):
        check_cluster(address, 1)


def test_probe_that_was_begun_is_ended_when_nothing_listens() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{unused.getsockname()[1]}"
        joining.begin(address)
        process = joining._begun[address]
        with pytest.raises(UserError, match=f"no Ray at {address}: Connection refused"):
            check_cluster(address, 5)
    assert process.poll() is not None
    assert address not in joining._begun


HEAD = """
import os, ray, sys
context = ray.init(address="local", num_cpus=1, include_dashboard=False, object_store_memory=90 * 2**20,
                   _temp_dir=sys.argv[1])
print(context.address_info["gcs_address"], flush=True)
sys.stdin.read()
"""
JOIN = """
import os, sys
from cluster.host.joining import check_cluster
check_cluster(sys.argv[1], 100)
print(os.environ["RAY_AUTH_MODE"])
"""


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["token", "disabled"])
def test_real_cluster_is_joined_in_its_mode(mode: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    """And refused with another token, or with the other mode set."""
    folder = tmp_path_factory.mktemp("ray")
    token = folder / "token"
    token.write_text("0" * 64)
    environment = {key: value for key, value in os.environ.items() if not key.startswith("RAY_")}
    environment |= {"RAY_AUTH_TOKEN_PATH": str(token)}
    head = subprocess.Popen(
        [sys.executable, "-c", HEAD, str(folder)], env=environment | {AUTH_MODE: mode},
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert head.stdout is not None
        address = head.stdout.readline().strip()
        assert join(address, environment) == (0, mode)
        other = {"token": "disabled", "disabled": "token"}[mode]
        code, said = join(address, environment | {AUTH_MODE: other})
        assert (code, "is set here: unset it" in said) == (1, True)
        if mode == "token":
            token.write_text("1" * 64)
            assert "the one here is another" in join(address, environment)[1]
            token.unlink()
            assert "there is none here" in join(address, environment | {"HOME": str(folder)})[1]
    finally:
        head.communicate(input="", timeout=60)


def join(address: str, environment: dict[str, str]) -> tuple[int, str]:
    """Join in a process of its own; return its exit code and the last line that it wrote."""
    done = subprocess.run([sys.executable, "-c", JOIN, address], env=environment, capture_output=True, text=True)
    return done.returncode, (done.stdout + done.stderr).strip().rpartition("\n")[2]


def test_answer_of_the_probe_is_read_when_others_write_too(monkeypatch: pytest.MonkeyPatch) -> None:
    line = json.dumps({"mode": "token", "refusals": {"disabled": "no"}, "ray": "2", "python": "3.11.1"})
    command = [sys.executable, "-c", f"print('noise'); print({line!r})"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    monkeypatch.setattr(joining, "_start_probe", lambda address: process)
    answer = joining._await_answer("h:1", 20)
    assert answer == ClusterAnswer(mode="token", refusals={"disabled": "no"}, ray="2", python="3.11.1")
