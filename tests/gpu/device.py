"""Whether this machine has a GPU that the checks of this folder need."""

from __future__ import annotations

from pathlib import Path

import pytest

DRIVER = Path("/proc/driver/nvidia/version")

needs_gpu = pytest.mark.skipif(not DRIVER.exists(), reason="no NVIDIA driver here: these checks need a GPU")
