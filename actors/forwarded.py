"""Environment variables that the driver's machine hands to the processes of a run on other machines.

A process that runs untrusted code has no use for them: they hold tokens.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

NAMES = "RAYSTAR_FORWARDED"  # the variable that holds the names of the forwarded variables, separated by commas


def set_forwarded(values: Mapping[str, str]) -> None:
    """Set variables of this process, where its machine does not set them, and remember their names."""
    for name, value in values.items():
        os.environ.setdefault(name, value)
    os.environ[NAMES] = ",".join(values)


def forget_forwarded() -> None:
    """Remove the forwarded variables from the environment of this process."""
    for name in os.environ.pop(NAMES, "").split(","):
        os.environ.pop(name, None)
