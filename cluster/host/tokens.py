"""Make the token that a Ray cluster asks for, and take it to its machines.

Ray reads it from ``~/.ray/auth_token`` in every process that has RAY_AUTH_MODE=token. It never stands in a command line.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path

from cluster.host.remote import RemoteHost, RemoteResult, run_on_all
from search.errors import UserError

PATH_VARIABLE = "RAY_AUTH_TOKEN_PATH"
TOKEN_BYTES = 32  # as Ray's own
INSTALL = "umask 077 && mkdir -p ~/.ray && cat > ~/.ray/.auth_token.new && mv ~/.ray/.auth_token.new ~/.ray/auth_token"


def token_path(environment: Mapping[str, str], home: Path) -> Path:
    """Return the file in which Ray looks for the token."""
    return Path(environment.get(PATH_VARIABLE) or home / ".ray" / "auth_token").expanduser()


def make_token(path: Path) -> bool:
    """Write a new token unless there is one; return whether one was written. Nobody else may read the file."""
    if path.exists():
        path.chmod(0o600)
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(secrets.token_hex(TOKEN_BYTES))
    return True


def send_token(path: Path, hosts: Sequence[RemoteHost]) -> list[RemoteResult]:
    """Write the token to ``~/.ray/auth_token`` of all hosts; return how that ended on each. Raises UserError for an empty one."""
    token = path.read_text(encoding="utf-8").strip()
    if not token:
        raise UserError(f"{path} is empty: remove it, and a new token is made")
    return run_on_all(hosts, INSTALL, text=token)
