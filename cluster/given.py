"""What a stage was made from, beyond the config: kept beside its files, so that nobody goes on with something else.

A run directory refuses another config; models and files that the command line names are refused here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cluster.run_dir import Stage, differences, write_atomic
from search.errors import UserError

GIVEN = "given.json"


def check(stage: Stage, given: Mapping[str, Any]) -> None:
    """Raise UserError where the stage, done or begun, was made from something else. Writes nothing."""
    for directory in (stage.path, stage.partial):
        file = directory / GIVEN
        changes = list(differences(json.loads(file.read_text(encoding="utf-8")), dict(given))) if file.exists() else []
        if changes:
            raise UserError(
                f"{stage.path} was made from something else: {'; '.join(changes)}. "
                "Choose another --name, or give what it was made from"
            )


def write(directory: Path, given: Mapping[str, Any]) -> None:
    """Keep what a stage is made from; into its directory, before anything else."""
    write_atomic(directory / GIVEN, json.dumps(given, indent=1) + "\n")
