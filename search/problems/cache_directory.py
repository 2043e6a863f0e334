"""Locate the directory in which results that can be made again are kept between runs."""

from __future__ import annotations

import os
from pathlib import Path

CACHE_VARIABLE = "RAYSTAR_CACHE"


def cache_root() -> Path:
    """Return ``RAYSTAR_CACHE``, else ``raystar`` in the user's cache directory."""
    if os.environ.get(CACHE_VARIABLE):
        return Path(os.environ[CACHE_VARIABLE]).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "raystar"
