"""For all tests: Ray gets two minutes to start a node, because its own 30 seconds are short on a busy machine."""

from __future__ import annotations

import os

os.environ.setdefault("RAY_raylet_start_wait_time_s", "120")
