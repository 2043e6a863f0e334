"""The service process's entry: ``python -m actors.sandbox.server.main DESCRIPTOR LIMITS SCRATCH``. Decides nothing."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import sys

from actors.sandbox.framing import framed
from actors.sandbox.limits import Limits
from actors.sandbox.server.fork_server import ForkServer
from actors.sandbox.server.launch import ServiceFailed


def main() -> None:
    descriptor, limits, scratch = int(sys.argv[1]), Limits.from_json(sys.argv[2]), sys.argv[3]
    client = socket.socket(fileno=descriptor)
    os.set_inheritable(descriptor, False)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        warden = ForkServer(client, limits, scratch)
    except ServiceFailed as error:
        client.sendall(framed({"failed": str(error)}))
        sys.exit(1)
    try:
        warden.serve()
    except ConnectionError:  # the client hung up
        sys.exit(0)
    except ServiceFailed as error:
        print(f"sandbox service: {error}", file=sys.stderr)
        sys.exit(1)
    finally:
        warden.roster.end()
        shutil.rmtree(scratch, ignore_errors=True)  # the client may be gone


if __name__ == "__main__":
    main()
