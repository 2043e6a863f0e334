"""Importing all of ``search`` loads no model library, no Ray and no other package of the project."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HEAVY = {"ray", "torch", "vllm", "transformers", "deepspeed", "accelerate", "train", "actors", "cluster"}
IMPORT_ALL = """
import importlib, json, pkgutil, sys
import search
names = [module.name for module in pkgutil.walk_packages(search.__path__, "search.")]
for name in names:
    importlib.import_module(name)
print(json.dumps([names, sorted({name.partition(".")[0] for name in sys.modules})]))
"""


def test_import_of_search_loads_no_heavy_library() -> None:
    process = subprocess.run([sys.executable, "-c", IMPORT_ALL], cwd=ROOT, capture_output=True, text=True, check=True)
    names, loaded = json.loads(process.stdout.splitlines()[-1])
    assert {"search.data", "search.tree", "search.protocols"} <= set(names)
    assert HEAVY & set(loaded) == set()
