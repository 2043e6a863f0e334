"""Programs for a PATH that write down how they were called, in place of launchers that a test must not start."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

RECORD = """#!/usr/bin/env python3
import json, os, sys
names = {names!r}
entry = {{"arguments": [os.path.basename(sys.argv[0]), *sys.argv[1:]], "environment": {{n: os.environ.get(n) for n in names}}}}
with open({log!r}, "a") as file:
    file.write(json.dumps(entry) + "\\n")
"""


@dataclass(frozen=True, slots=True)
class Call:
    """One call: the program's name with its arguments, and variables of its environment."""

    arguments: list[str]
    environment: dict[str, str | None]


@dataclass(frozen=True, slots=True)
class RecordedCommands:
    """Programs in ``folder``; those of ``answers`` print a text, all others print nothing."""

    folder: Path
    variables: tuple[str, ...] = ()

    def add(self, *names: str, answers: Mapping[str, str] | None = None) -> None:
        """Make programs: ``names`` record a call and end well, ``answers`` also print a text."""
        self.folder.mkdir(parents=True, exist_ok=True)
        for name, text in {**dict.fromkeys(names, ""), **(answers or {})}.items():
            program = self.folder / name
            script = RECORD.format(names=self.variables, log=str(self.folder / "calls.jsonl"))
            program.write_text(f"{script}print({text!r})\n" if text else script)
            program.chmod(0o755)

    def calls(self) -> list[Call]:
        """Return all calls so far."""
        log = self.folder / "calls.jsonl"
        lines = log.read_text(encoding="utf-8").splitlines() if log.exists() else []
        return [Call(**json.loads(line)) for line in lines]
