"""``raystar commit``: print the commit of this checkout, for jobs that travel without it."""

from __future__ import annotations

import argparse
import json

from cluster.run.manifest import SOURCE_ROOT
from cluster.run.source_state import git_state, job_metadata
from search.errors import UserError

HELP = "print this checkout's commit and whether files differ from it, for ray job submit --metadata-json"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--dry-run", action="store_true", help="the same: it changes nothing")


def run(args: argparse.Namespace) -> int:
    commit, dirty = git_state(SOURCE_ROOT)
    if commit is None:
        raise UserError(f"{SOURCE_ROOT} is no checkout of git: there is no commit to name")
    print(json.dumps(job_metadata(commit, bool(dirty))))
    return 0
