"""Grade with this project."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(1, str(Path(__file__).resolve().parents[2]))

from line_protocol import serve

from search.grading import equivalent

if __name__ == "__main__":
    serve(equivalent, "this checkout")
