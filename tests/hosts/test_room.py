"""Hosts on this machine have addresses, files and processes of their own, share what they are told to, and leave nothing."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.hosts.room import NoRoom, Room

SEND = "import socket; s = socket.create_server(('0.0.0.0', 5000)); print(s.accept()[1][0])"
CONNECT = "import socket; socket.create_connection(('10.77.0.11', 5000), 10)"


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Room]:
    try:
        with Room(2, shared=[tmp_path_factory.mktemp("shared")]) as room:
            yield room
    except NoRoom as reason:
        pytest.skip(str(reason))


def test_hosts_reach_each_other_by_their_addresses(room: Room) -> None:
    server = room.start(1, "python3", "-c", SEND, cwd=Path("/"))
    room.run(2, "bash", "-c", f'until python3 -c "{CONNECT}" 2> /dev/null; do sleep 0.05; done', cwd=Path("/"))
    assert server.communicate(timeout=20)[0] == "10.77.0.12\n"
    assert room.run(2, "hostname", cwd=Path("/")).stdout == "h2\n"


def test_files_are_private_but_in_shared_directories(room: Room) -> None:
    (shared,) = room._shared
    for place in ("/tmp", "/dev/shm", str(Path.home()), shared, str(room.disk)):
        room.run(1, "touch", f"{place}/mark", cwd=Path("/"))
    seen = [place for place in ("/tmp", "/dev/shm", str(Path.home()), shared, str(room.disk)) if sees(room, 2, place)]
    assert seen == [shared, str(room.disk)]
    assert not Path("/tmp/mark").exists()
    assert not (Path.home() / "mark").exists()
    assert (Path(shared) / "mark").exists()


def sees(room: Room, host: int, place: str) -> bool:
    return room.run(host, "test", "-e", f"{place}/mark", check=False, cwd=Path("/")).returncode == 0


def test_processes_are_private_and_late_ones_are_ended(room: Room) -> None:
    with pytest.raises(AssertionError, match=r"h1: sleep 77 took more than 0\.5 s"):
        room.run(1, "sleep", "77", timeout=0.5, cwd=Path("/"))
    other = room.start(2, "sleep", "78", cwd=Path("/"))
    room.run(2, "bash", "-c", "until pgrep -f '^sleep 78'; do sleep 0.05; done", cwd=Path("/"))
    assert room.processes(1) == []
    assert room.processes(2) == ["sleep 78"]
    room.run(2, "pkill", "-f", "^sleep 78", cwd=Path("/"))
    assert other.wait(timeout=20) != 0


def test_failing_command_shows_its_output(room: Room) -> None:
    with pytest.raises(AssertionError, match=r"(?s)ended with 3:.*said this"):
        room.run(1, "bash", "-c", "echo said this >&2; exit 3", cwd=Path("/"))


def test_nothing_outlives_a_room() -> None:
    try:
        with Room(1) as room:
            process = room.start(1, "bash", "-c", "sleep 79 &> /dev/null & disown", cwd=Path("/"))
            process.communicate(timeout=20)
            room.run(1, "pgrep", "-f", "^sleep 79", cwd=Path("/"))
            disk = room.disk
    except NoRoom as reason:
        pytest.skip(str(reason))
    assert not disk.exists()
    commands = [path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline") if os.access(path, os.R_OK)]
    assert b"sleep\x0079\x00" not in commands
