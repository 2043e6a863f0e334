"""Run the fork server: ``python -m actors.sandbox.server.main DESCRIPTOR LIMITS SCRATCH``."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import sys

from actors.sandbox.framing import encode_frame
from actors.sandbox.limits import Limits
from actors.sandbox.server.fork_server import ForkServer
from actors.sandbox.server.launch import ServerFailed


def main() -> None:
    descriptor, limits, scratch = int(sys.argv[1]), Limits.from_json(sys.argv[2]), sys.argv[3]
    client = socket.socket(fileno=descriptor)
    os.set_inheritable(descriptor, False)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        server = ForkServer(client, limits, scratch)
    except ServerFailed as error:
        client.sendall(encode_frame({"failed": str(error)}))
        sys.exit(1)
    try:
        server.serve()
    except ConnectionError:  # the client closed the connection
        sys.exit(0)
    except ServerFailed as error:
        print(f"fork server: {error}", file=sys.stderr)
        sys.exit(1)
    finally:
        server.table.kill_all()
        shutil.rmtree(scratch, ignore_errors=True)  # the client may be gone


if __name__ == "__main__":
    main()
