"""Ask a Ray cluster for its versions, with and without a token: ``python -m cluster.host.cluster_probe ADDRESS``.

Runs as a process of its own, because Ray ends a process that cannot reach a cluster. Prints one line of JSON:
``refusals`` has, by mode of authentication, the reason why the cluster did not answer; the first mode that it answers in is
the last that is tried, and is not in it.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

from ray._common.usage.usage_lib import get_cluster_metadata
from ray._private.services import canonicalize_bootstrap_address_or_die
from ray._raylet import AuthenticationTokenLoader, Config, GcsClient  # type: ignore[attr-defined]
from ray.exceptions import AuthenticationError

from cluster.host.joining import AUTH_MODE, DISABLED, TOKEN, TOKEN_MISSING


def has_token() -> bool:
    """Return whether Ray finds a token here. It raises AuthenticationError where it finds none."""
    try:
        return bool(AuthenticationTokenLoader.instance().has_token())
    except AuthenticationError:
        return False


def ask(address: str) -> dict[str, Any]:
    """Return what the cluster says, in the first of the modes "disabled" and "token" in which it does."""
    gcs = canonicalize_bootstrap_address_or_die(address)
    refusals: dict[str, str] = {}
    for mode in (DISABLED, TOKEN):
        os.environ[AUTH_MODE] = mode
        Config.initialize("")  # Ray has read the variable when it was imported
        if mode == TOKEN and not has_token():
            refusals[mode] = TOKEN_MISSING
            continue
        try:
            metadata = get_cluster_metadata(GcsClient(address=gcs))
        except Exception as error:  # noqa: BLE001 whatever Ray raises is what the cluster did not like
            refusals[mode] = " ".join(str(error).split()) or type(error).__name__
            continue
        return {
            "mode": mode,
            "refusals": refusals,
            "ray": metadata["ray_version"],
            "python": metadata["python_version"],
        }
    return {"refusals": refusals}


if __name__ == "__main__":
    try:
        print(json.dumps(ask(sys.argv[1])))
    except (ConnectionError, ValueError) as error:
        print(json.dumps({"refusals": {DISABLED: " ".join(str(error).split())}}))
