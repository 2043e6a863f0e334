"""Hosts are those of a command line and of a file of Ray's cluster launcher."""

from __future__ import annotations

from pathlib import Path

import pytest

from cluster.host.remote import RemoteHost, expected_nodes, launcher_hosts, named_hosts, read_cluster_file
from search.errors import UserError

PROJECT = Path(__file__).resolve().parents[3]
LOCAL = """
provider: {type: local, head_ip: 10.0.0.1, worker_ips: [10.0.0.2]}
auth: {ssh_user: me, ssh_private_key: /keys/one}
"""


def test_hosts_are_those_named_and_those_of_the_file(tmp_path: Path) -> None:
    file = tmp_path / "cluster.yaml"
    file.write_text(LOCAL)
    key = Path("/keys/one")
    expected = [RemoteHost("extra"), RemoteHost("me@10.0.0.1", key), RemoteHost("me@10.0.0.2", key)]
    assert named_hosts(["extra", "extra"], file) == expected
    assert expected_nodes(read_cluster_file(file)) == 2


def test_cloud_names_no_hosts_but_how_many_there_are() -> None:
    path = PROJECT / "ray_cluster.yaml"
    config = read_cluster_file(path)
    with pytest.raises(UserError, match=r"provider\.type 'aws': only for 'local' does the file name its hosts"):
        launcher_hosts(config, path)
    assert expected_nodes(config) == 3  # the head, one GPU node and one executor node at once


@pytest.mark.parametrize("text", ["- a list", "name: x", "{", None])
def test_file_of_something_else_is_refused(text: str | None, tmp_path: Path) -> None:
    file = tmp_path / "cluster.yaml"
    if text is not None:
        file.write_text(text)
    with pytest.raises(UserError, match="no file of Ray's cluster launcher"):
        read_cluster_file(file)
