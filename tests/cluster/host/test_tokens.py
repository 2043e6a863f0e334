"""A token is made once, is read by its owner alone, and reaches hosts by standard input."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from cluster.host import remote, tokens
from cluster.host.remote import RemoteHost
from search.errors import UserError

FAKE_SSH = """#!/bin/bash
# ssh in whose place a directory below $HOSTS stands for each host
for host; do command=$previous; previous=$host; done
host=$command command=$previous
[[ -d $HOSTS/$host ]] || { echo "ssh: connect to host $host: No route" >&2; exit 255; }
echo "$@" >> "$HOSTS/arguments"
HOME=$HOSTS/$host exec bash -c "$command"
"""


@pytest.fixture
def hosts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a directory with a home directory for each of the hosts "a" and "b", which a fake ssh reaches."""
    (tmp_path / "bin").mkdir()
    ssh = tmp_path / "bin" / "ssh"
    ssh.write_text(FAKE_SSH)
    ssh.chmod(0o755)
    for host in "ab":
        (tmp_path / "hosts" / host).mkdir(parents=True)
    monkeypatch.setenv("PATH", f"{ssh.parent}:{os.environ['PATH']}")
    monkeypatch.setenv("HOSTS", str(tmp_path / "hosts"))
    return tmp_path / "hosts"


def test_token_is_made_once_for_its_owner_alone(tmp_path: Path) -> None:
    path = tokens.token_path({}, tmp_path)
    assert path == tmp_path / ".ray" / "auth_token"
    assert tokens.make_token(path)
    token = path.read_text()
    assert len(token) == 64
    path.chmod(0o644)
    assert not tokens.make_token(path)
    assert path.read_text() == token
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_token_lies_where_the_variable_says(tmp_path: Path) -> None:
    assert tokens.token_path({"RAY_AUTH_TOKEN_PATH": "/x/token"}, tmp_path) == Path("/x/token")


def test_token_reaches_hosts_and_no_command_line(hosts: Path, tmp_path: Path) -> None:
    path = tmp_path / "token"
    tokens.make_token(path)
    results = tokens.send_token(path, [RemoteHost("a"), RemoteHost("b"), RemoteHost("c")])
    assert [result.code for result in results] == [0, 0, 255]
    assert "No route" in results[2].line
    for host in "ab":
        copy = hosts / host / ".ray" / "auth_token"
        assert copy.read_text() == path.read_text()
        assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    assert path.read_text() not in (hosts / "arguments").read_text()


def test_empty_token_is_refused(tmp_path: Path) -> None:
    (tmp_path / "token").touch()
    with pytest.raises(UserError, match="is empty: remove it"):
        tokens.send_token(tmp_path / "token", [])


def test_slow_host_is_given_up(hosts: Path) -> None:
    (result,) = remote.run_on_all([RemoteHost("a")], "exec sleep 30", timeout_s=0.5)
    assert (result.code, result.line) == (255, "no answer within 0 s")
