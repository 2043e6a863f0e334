"""Importing all of ``search`` loads no model library and no cluster: it is where others build on."""

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


def test_importing_all_of_search_loads_nothing_heavy() -> None:
    done = subprocess.run([sys.executable, "-c", IMPORT_ALL], cwd=ROOT, capture_output=True, text=True, check=True)
    names, loaded = json.loads(done.stdout.splitlines()[-1])
    assert {"search.data", "search.tree", "search.protocols"} <= set(names)
    assert HEAVY & set(loaded) == set()
